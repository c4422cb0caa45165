"""A date is cancelled or moved: a new catalogue that outlives the file, orders listed, and the new door told everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mqtt_bridge.cloud.catalogue import CatalogueRefused, current_catalogue
from mqtt_bridge.cloud.session_changes import ChangeRefused, cancel_session, move_session, restore_session
from mqtt_bridge.cloud.store import apply_catalogue
from mqtt_bridge.protocol.catalogue import Catalogue, EventSession, Moved
from mqtt_bridge.protocol.messages import CancelRequested, CheckedIn, OrderCancelled, OrderConfirmed, PaymentTaken
from tests.mqtt_bridge.cloud.town import HOUR_MS, Town, town_in, two_dates
from tests.mqtt_bridge.cloud.world import START_MS


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with town_in(tmp_path / "cloud.db") as made:
        yield made


def current(town: Town) -> Catalogue:
    with town.database.read() as db:
        return current_catalogue(db)


def tonight(town: Town) -> EventSession:
    return current(town).event_session["s"][1]


def test_cancelling_publishes_a_new_catalogue_and_lists_every_booking(town: Town) -> None:
    town.sold("o1")
    town.sold("o2", 3, paid=False)
    before = current(town).version
    words = cancel_session(town.database, "night/tonight", "ada", town.now_ms, "The singer is ill.")
    assert words == ["One Night (tonight) is cancelled", "5 tickets of 2 bookings listed for repair"]
    town.tick()
    assert (tonight(town).cancelled, tonight(town).notice) == (True, "The singer is ill.")
    assert current(town).version == before + 1
    assert {each.order_id for each in town.listed()} == {"o1", "o2"}
    with pytest.raises(ChangeRefused, match="cancelled already"):
        cancel_session(town.database, "s", "ada", town.now_ms)


def test_a_sale_told_after_the_cancel_is_listed_too_and_once(town: Town) -> None:
    cancel_session(town.database, "s", "ada", town.now_ms)
    town.sold("o1")
    (row,) = town.listed()
    assert (row.kind, row.order_id, row.tickets) == ("session-cancelled", "o1", ("o1-0", "o1-1"))
    assert "sold by hall-1" in row.detail


def test_the_change_outlives_the_next_import_of_the_old_file(town: Town) -> None:
    cancel_session(town.database, "s", "ada", town.now_ms)
    assert apply_catalogue(town.database, two_dates(), {}, town.now_ms) == []
    assert tonight(town).cancelled
    assert apply_catalogue(town.database, two_dates(hall=30), {}, town.now_ms)
    assert tonight(town).cancelled
    assert apply_catalogue(town.database, two_dates(cancelled=True), {}, town.now_ms)
    assert tonight(town).cancelled


def test_a_move_keeps_its_tickets_valid_and_tells_the_new_door_everything(town: Town) -> None:
    town.sold("o1")
    town.sold("o2", paid=False)
    town.sold("o3", 1)
    town.admit("o1-0")
    town.tell(town.hall, town.hall.cancel("o3", 1))
    later = START_MS + 5 * HOUR_MS
    words = move_session(town.database, "s", "ada", town.now_ms, venue="yard", starts_at_ms=later, notice="Rain.")
    assert words[-1] == "3 bookings go to the door at 'yard'"
    town.tick()
    at = tonight(town)
    assert (at.venue, at.starts_at_ms, at.ends_at_ms) == ("yard", later, later + 2 * HOUR_MS)
    assert at.moved == Moved("hall", START_MS + HOUR_MS, START_MS + 3 * HOUR_MS, town.now_ms - 1000)
    kinds = [type(each) for each in town.bodies("yard-1")]
    assert [kinds.count(each) for each in (OrderConfirmed, PaymentTaken, CheckedIn, OrderCancelled)] == [3, 2, 1, 1]
    origins = {each.origin for each in town.downlink("yard-1")}
    assert origins == {"hall-1"}
    assert {each.kind for each in town.listed()} == {"session-moved"}
    town.sold("o4", by=town.hall)
    town.tick()
    assert any(isinstance(each, OrderConfirmed) and each.order == "o4" for each in town.bodies("yard-1"))


def test_a_cancel_that_waited_for_the_old_door_goes_to_the_new_one(town: Town) -> None:
    town.sold("o1", by=town.yard)
    with town.database.write() as db:
        db.exec_driver_sql("UPDATE orders SET status = 'cancel_pending'")
    move_session(town.database, "s", "ada", town.now_ms, venue="yard")
    town.tick()
    # The yard sold it itself: it is its own door now and needs no letter.
    assert not any(isinstance(each, CancelRequested) for each in town.bodies("yard-1"))
    move_session(town.database, "s", "ada", town.now_ms, venue="hall")
    town.tick()
    assert any(isinstance(each, CancelRequested) for each in town.bodies("hall-1"))


def test_the_file_may_follow_say_nothing_new_or_set_another_time(town: Town) -> None:
    later = START_MS + 5 * HOUR_MS
    move_session(town.database, "s", "ada", town.now_ms, starts_at_ms=later)
    assert apply_catalogue(town.database, two_dates(), {}, town.now_ms) == []
    assert tonight(town).starts_at_ms == later

    def file_with(starts_at_ms: int, venue: str = "hall") -> Catalogue:
        file = two_dates()
        (event,) = file.events
        at = msgspec.structs.replace(
            event.sessions[0], venue=venue, starts_at_ms=starts_at_ms, ends_at_ms=starts_at_ms + 2 * HOUR_MS
        )
        return msgspec.structs.replace(
            file, events=(msgspec.structs.replace(event, sessions=(at, *event.sessions[1:])),)
        )

    assert apply_catalogue(town.database, file_with(later), {}, town.now_ms) == []
    assert tonight(town).moved is not None
    apply_catalogue(town.database, file_with(later + HOUR_MS), {}, town.now_ms)
    assert tonight(town).starts_at_ms == later + HOUR_MS
    town.sold("o1")
    with pytest.raises(CatalogueRefused, match="marquee session move"):
        apply_catalogue(town.database, file_with(START_MS, venue="yard"), {}, town.now_ms)


def test_taking_it_back_restores_the_file_and_dismisses_what_was_listed(town: Town) -> None:
    town.sold("o1")
    move_session(town.database, "s", "ada", town.now_ms, venue="yard", starts_at_ms=START_MS + 9 * HOUR_MS)
    cancel_session(town.database, "s", "ada", town.now_ms)
    assert [each.kind for each in town.listed()] == ["session-cancelled"]
    words = restore_session(town.database, "s", "bob", town.now_ms)
    assert words[:2] == ["One Night (tonight) is as the file says", "1 entries of the repair list dismissed"]
    assert tonight(town) == two_dates().event_session["s"][1]
    assert town.listed() == ()
    town.tick()
    with pytest.raises(ChangeRefused, match="neither cancelled nor moved"):
        restore_session(town.database, "s", "bob", town.now_ms)


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ({}, "already"),
        ({"venue": "moon"}, "no venue 'moon'; venues are hall, yard"),
        ({"starts_at_ms": START_MS, "ends_at_ms": START_MS}, "end after it starts"),
    ],
)
def test_an_impossible_move_is_refused(town: Town, to: dict[str, object], why: str) -> None:
    with pytest.raises(ChangeRefused, match=why):
        move_session(town.database, "s", "ada", town.now_ms, **to)  # type: ignore[arg-type]
    with pytest.raises(ChangeRefused, match="EVENT/KEY"):
        cancel_session(town.database, "nothing", "ada", town.now_ms)


def test_a_booking_that_its_guest_cancels_leaves_the_list_by_itself(town: Town) -> None:
    town.sold("o1")
    town.sold("o2")
    cancel_session(town.database, "s", "ada", town.now_ms)
    town.tell(town.hall, town.hall.cancel("o1", 2))
    assert [each.order_id for each in town.listed()] == ["o2"]
    (gone,) = town.listed("decided")
    assert (gone.state, gone.outcome) == ("dismissed", "its tickets were cancelled meanwhile")
