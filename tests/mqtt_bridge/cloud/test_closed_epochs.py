"""What comes back from closed epochs, in rows: it lowers what was released, once, and never more than the pool has."""

from __future__ import annotations

import pytest

from mqtt_bridge.cloud.books import Book
from mqtt_bridge.cloud.closed_epochs import close_lines, net
from mqtt_bridge.cloud.memory import MemoryRows
from mqtt_bridge.cloud.records import Device, Line, Quota
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.journal import Journal


@pytest.fixture
def work() -> Work:
    """Ten places and three that were released; the hall's first epoch is closed, the yard has all that can be had."""
    rows = MemoryRows(Journal())
    rows.insert([Quota("q", "s", "seats", 10, 3, released=3)])
    rows.insert(
        [Device("hall-1", "hall", "live", True, 0, epoch=2), Device("yard-1", "yard", "live", True, 0, epoch=1)]
    )
    rows.insert([Line("q", "hall-1", 1, granted=4, returned=4), Line("q", "yard-1", 1, granted=13)])
    return Work(rows)


def book_of(work: Work) -> Book:
    quota = work.of(Quota).get("q")
    assert quota is not None
    return Book(work, quota, work.of(Line).where("quota", "q"))


def after_returns(work: Work, returned: int) -> tuple[int, int]:
    """Have the yard give back so many in all; returns (released, pool)."""
    line = work.of(Line).get("q", "yard-1", 1)
    assert line is not None
    work.of(Line).change(line, returned=returned)
    book = book_of(work)
    net(book, {each.name: each for each in work.of(Device).fetch_all()})
    return book.quota.released, book.pool


def test_what_was_granted_again_before_it_was_told_lowers_the_release_by_what_comes_back_next(work: Work) -> None:
    """A restored cloud hears of four that came back to the lost one, which had given them to the yard."""
    assert [after_returns(work, number) for number in (0, 2, 2, 3, 5)] == [(3, 0), (1, 0), (1, 0), (0, 0), (0, 2)]


def test_what_lowers_the_release_later_does_so_in_the_next_life_too(work: Work) -> None:
    after_returns(work, 0)
    close_lines(work, "hall-1")
    assert after_returns(work, 3) == (0, 0)


def test_what_came_back_before_an_epoch_closed_lowers_nothing(work: Work) -> None:
    """Nor in a life that these rows forgot and that ended since."""
    hall = work.of(Device).get("hall-1")
    assert hall is not None
    hall = work.of(Device).change(hall, epoch=0)
    close_lines(work, "hall-1")
    work.of(Device).change(hall, epoch=2)
    assert after_returns(work, 3) == (3, 3)
