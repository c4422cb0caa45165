"""A minute of the soak; the command runs it for twenty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows import soak


@pytest.mark.slow
@pytest.mark.system
def test_nothing_grows_in_a_minute_of_steady_load(tmp_path: Path) -> None:
    """Memory, open files and outboxes of every process, of PostgreSQL's clients and of Mosquitto."""
    soak.run(tmp_path, 60)
