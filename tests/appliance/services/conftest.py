from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.box import FakeClock, TestBox, make_box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    """The venue "north" with 10 in the room, 5 on the balcony and 4 for the session away."""
    made = make_box(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def south(tmp_path: Path, box: TestBox) -> Iterator[TestBox]:
    """The venue "south", on the same clock; the two know each other's keys."""
    assert isinstance(box.clock, FakeClock)
    made = make_box(tmp_path, venue="south", clock=box.clock, grants={})
    made.meet(box)
    box.meet(made)
    yield made
    made.database.close()
