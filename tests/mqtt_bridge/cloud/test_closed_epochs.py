"""What comes back from closed epochs, in rows: it lowers what was released, once, and never more than the pool has."""

from __future__ import annotations

import pytest

from mqtt_bridge.cloud.books import Book
from mqtt_bridge.cloud.closed_epochs import close_lines, doubt_of, list_oversold, net, ticket_cancelled, ticket_known
from mqtt_bridge.cloud.memory import MemoryRows
from mqtt_bridge.cloud.records import Contradiction, Device, Line, Order, Quota, Ticket
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


# --- what becomes known of a sealed device


@pytest.fixture
def sealed() -> Work:
    """Ten places, five of them in doubt at the sealed hall; three were released, and the yard has those and the other five."""
    rows = MemoryRows(Journal())
    rows.insert([Quota("q", "s", "seats", 10, 3, released=3)])
    rows.insert(
        [Device("hall-1", "hall", "sealed", True, 0, epoch=1), Device("yard-1", "yard", "live", True, 0, epoch=1)]
    )
    rows.insert([Line("q", "hall-1", 1, granted=5), Line("q", "yard-1", 1, granted=8)])
    return Work(rows)


def after_late_sale(work: Work, number: int) -> tuple[int, int]:
    """Let the sealed hall's sale with this number become known; returns (tickets listed, in doubt)."""
    work.of(Order).add(Order(f"o{number}", "A7", "hall-1", "confirmed", "paid", "", number))
    ticket = Ticket(f"t{number}", f"o{number}", "A7", "t", "s", "q", 1, 1250, "EUR", "valid", None)
    ticket_known(work, "hall-1", work.of(Ticket).add(ticket))
    book, devices = book_of(work), {each.name: each for each in work.of(Device).fetch_all()}
    list_oversold(work, book, devices, 0)
    listed = work.of(Contradiction).where("kind", "oversold")
    return len(listed), doubt_of(book.quota.released, book.lines.values(), devices).in_doubt


def test_late_sales_go_to_repair_only_beyond_what_was_never_released(sealed: Work) -> None:
    """Five in doubt, three released: two late sales fit, the third is the first that was sold twice."""
    assert [after_late_sale(sealed, k) for k in range(1, 6)] == [(0, 4), (0, 3), (1, 2), (2, 1), (3, 0)]


@pytest.mark.parametrize(("certain", "left"), [(True, (1, 2, 1)), (False, (0, 3, 0))])
def test_a_place_the_lost_door_may_have_sold_again_stays_in_doubt(
    sealed: Work, certain: bool, left: tuple[int, int, int]
) -> None:
    """Cancelled after the seal: certain when another door decided, uncertain when the lost one could have."""
    for k in range(1, 4):
        after_late_sale(sealed, k)
    ticket = sealed.of(Ticket).get("t3")
    assert ticket is not None
    ticket_cancelled(sealed, "hall-1", sealed.of(Ticket).change(ticket, state="cancelled"), certain=certain)
    line = sealed.of(Line).get("q", "hall-1", 1)
    assert line is not None
    assert (line.returned, line.unsold, line.reclaimed) == left
    assert line.totals.valid == 2
