from __future__ import annotations

import msgspec
import pytest

from appliance.domain.clock import HOUR_MS
from appliance.domain.errors import NotFound
from appliance.services import booking, listing, switches, sync
from appliance.services.booking import Item
from tests.support.box import (
    ADULT,
    BADGE,
    CHILD,
    OPEN_LIMITS,
    ROOM,
    SEAT,
    START_MS,
    TONIGHT,
    TestBox,
    desk,
    example_catalogue,
    make_box,
)


def states(box: TestBox) -> dict[str, str]:
    return {
        each.type.id: each.state
        for event in box.look(listing.listing).events
        for session in event.sessions
        for each in session.types
    }


def with_tonight(version: int, **changes: object):
    catalogue = example_catalogue(version=version)
    event = catalogue.events[0]
    tonight = msgspec.structs.replace(event.sessions[0], **changes)
    event = msgspec.structs.replace(event, sessions=(tonight, *event.sessions[1:]))
    return msgspec.structs.replace(catalogue, events=(event,))


def test_every_type_has_its_stock_state_and_most(box):
    seen = box.look(listing.listing)
    assert seen.as_of_ms == START_MS
    tonight, away = seen.events[0].sessions
    assert [(each.available, each.state, each.max_quantity) for each in tonight.types] == [
        (10, "on_sale", 5),
        (10, "on_sale", 4),  # free tickets have a limit of their own
        (5, "on_sale", 2),
    ]
    assert (tonight.here, away.here, away.venue.name) == (True, False, "South Barn")


def test_an_event_page_shows_one_event(box):
    assert box.look(lambda unit: listing.event_page(unit, "river")).event.title == "Songs of the River"
    with pytest.raises(NotFound):
        box.look(lambda unit: listing.event_page(unit, "nothing"))


def test_sold_out_here_and_sold_out_are_told_apart(tmp_path):
    catalogue = example_catalogue(OPEN_LIMITS)
    box = make_box(tmp_path, catalogue=catalogue, grants={ROOM: 1}, elsewhere=3)
    held = box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 1)]))
    box.run(lambda unit: booking.confirm(unit, held.id))
    assert (states(box)[CHILD], states(box)[SEAT]) == ("sold_out_here", "sold_out_here")
    box.grant({ROOM: 1}, elsewhere=0)
    assert states(box)[CHILD] == "sold_out"
    box.database.close()


def test_the_clock_opens_and_closes_the_sale_only_where_it_is_trusted(box):
    window = {"sale_opens_at_ms": START_MS + HOUR_MS, "sale_closes_at_ms": START_MS + 2 * HOUR_MS}
    box.run(lambda unit: sync.apply_catalogue(unit, with_tonight(2, **window)))
    assert states(box)[ADULT] == "not_yet"
    box.turn.trust(False)
    assert states(box)[ADULT] == "on_sale"
    box.turn.trust(True)
    box.turn.advance(HOUR_MS)
    assert states(box)[ADULT] == "on_sale"
    box.turn.advance(HOUR_MS)
    assert states(box)[ADULT] == "closed"


def test_staffs_switch_beats_the_clock_until_it_is_taken_back(box):
    closes = {"sale_closes_at_ms": START_MS}
    box.run(lambda unit: sync.apply_catalogue(unit, with_tonight(2, **closes)))
    for position, expected in (("open", "on_sale"), ("closed", "closed"), (None, "closed")):
        box.run(lambda unit, p=position: switches.set_sale(unit, TONIGHT, p, BADGE))
        assert states(box)[ADULT] == expected
    with pytest.raises(NotFound):
        box.run(lambda unit: switches.set_door(unit, "nothing", "open", BADGE))


def test_a_cancelled_date_says_so(box):
    box.run(lambda unit: sync.apply_catalogue(unit, with_tonight(2, cancelled=True)))
    assert states(box)[ADULT] == "cancelled"


def test_what_is_over_is_not_listed_where_the_clock_is_trusted(box):
    box.turn.advance(3 * HOUR_MS)
    assert ADULT not in states(box)
    box.turn.trust(False)
    assert states(box)[ADULT] == "on_sale"


def test_the_etag_changes_with_the_figures_and_not_with_time(box):
    first = box.look(listing.availability)
    box.turn.advance(1000)
    assert box.look(listing.availability).etag == first.etag
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 1)]))
    assert box.look(listing.availability).etag != first.etag


def test_a_picture_that_has_not_arrived_is_not_found(box):
    with pytest.raises(NotFound):
        box.look(lambda unit: listing.picture(unit, "00"))
    box.run(lambda unit: sync.apply_asset(unit, "00", "image/webp", b"x"))
    assert box.look(lambda unit: listing.picture(unit, "00")).body == b"x"
