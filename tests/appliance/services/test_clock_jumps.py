"""A wall clock that jumps moves no stock: holds live in boot-time, totals in no time at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.domain.clock import DAY_MS
from appliance.services import booking, listing, sweep
from appliance.services.booking import Item
from appliance.store import allocations
from tests.support.box import ADULT, guest

JUMPS = {"ten years back": -3650 * DAY_MS, "a day ahead": DAY_MS}


def jump(box, ms: int) -> None:
    """Let the wall clock jump, as without a battery or by a wrong time server; boot-time goes on."""
    box.turn.now = replace(box.turn.now, wall_ms=box.turn.now.wall_ms + ms)


def stock(box) -> dict[str, tuple[object, int, int]]:
    shelves = box.look(lambda unit: allocations.shelves(unit.db))
    return {quota: (shelf.totals, shelf.held, shelf.available) for quota, shelf in shelves.items()}


@pytest.mark.fault(21)
@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("ms", JUMPS.values(), ids=JUMPS)
def test_no_ticket_appears_or_goes_and_a_hold_keeps_its_minutes(box, ms: int, trusted: bool) -> None:
    """Whether or not anybody still believes that clock: a hold placed before is the same promise after."""
    held = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 2)]))
    before = stock(box)
    jump(box, ms)
    box.turn.trust(trusted)
    box.run(sweep.sweep)
    assert stock(box) == before
    seen = box.look(lambda unit: booking.find_hold(unit, held.id))
    assert (seen.state, seen.expires_in_ms) == ("open", held.expires_in_ms)
    order = box.run(lambda unit: booking.confirm(unit, held.id, client=guest()))
    assert (order.status, len(order.tickets)) == ("confirmed", 2)


@pytest.mark.fault(21)
@pytest.mark.parametrize("ms", JUMPS.values(), ids=JUMPS)
def test_availability_is_what_it_was_when_the_clock_is_not_believed(box, ms: int) -> None:
    """Only what is shown as a time is wrong, and it is called untrusted."""
    before = dict(box.look(listing.availability).items)
    jump(box, ms)
    box.turn.trust(False)
    assert dict(box.look(listing.availability).items) == before
