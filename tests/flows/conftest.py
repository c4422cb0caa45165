"""One demo shared by the flows that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.demo import Demo, running


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """The example catalogue at two venues."""
    with running() as started:
        yield started
