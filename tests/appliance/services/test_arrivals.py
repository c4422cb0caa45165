"""How fast people come in, in windows of five minutes."""

from __future__ import annotations

from appliance.domain.clock import MINUTE_MS
from appliance.services import door
from appliance.services.arrivals import WINDOWS, arrivals
from appliance.services.booking import Item
from tests.support.box import ADULT, BADGE, TestBox


def come_in(box: TestBox, people: int) -> list[str]:
    order = box.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, people)], "cash", "door"))
    return [each.code for each in order.tickets]


def test_people_are_counted_in_the_window_they_came_in_and_fall_out_after_an_hour(box: TestBox) -> None:
    come_in(box, 2)
    box.turn.advance(10 * MINUTE_MS)
    come_in(box, 3)
    seen = box.look(arrivals)
    assert (len(seen.counts), seen.counts[-3:], seen.last_five_minutes, seen.most) == (WINDOWS, (2, 0, 3), 3, 3)
    box.turn.advance(55 * MINUTE_MS)
    assert sum(box.look(arrivals).counts) == 3


def test_a_scan_that_was_undone_or_refused_is_no_arrival(box: TestBox) -> None:
    codes = come_in(box, 1)
    box.run(lambda unit: door.check_in(unit, codes[0], BADGE, "door"))
    box.run(lambda unit: door.check_in(unit, "NOTHING1", BADGE, "door"))
    assert box.look(arrivals).last_five_minutes == 1
    admission = next(each for each in box.look(lambda unit: door.recent(unit)) if each.verdict == "admitted")
    box.run(lambda unit: door.undo(unit, admission.id, BADGE))
    seen = box.look(arrivals)
    assert (seen.last_five_minutes, seen.most) == (0, 1)
