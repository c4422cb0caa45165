from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.box import TestBox, make_box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    """The venue "north", whose door is open tonight."""
    made = make_box(tmp_path)
    yield made
    made.database.close()
