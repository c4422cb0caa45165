"""Going out and coming in again: heads are counted, and nobody comes in twice on one way in."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.errors import NotFound
from appliance.services import booking, door, overview, printing, switches, sync, takeover
from appliance.services.booking import Item
from appliance.services.staff_views import CheckInView
from appliance.services.views import OrderView
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.messages import CheckedIn, Exited, Retold, VenueRetold
from tests.appliance.services.outbox import bodies
from tests.support.box import BADGE, CHILD, ELSEWHERE, TONIGHT, TestBox, desk, example_catalogue, make_box


def allow_re_entry(box: TestBox, **changes: object) -> None:
    box.run(lambda unit: sync.apply_catalogue(unit, catalogue(**changes)))


def catalogue(**changes: object) -> Catalogue:
    """Tonight with re-entry, or whatever is to be changed."""
    plain = example_catalogue(version=2)
    event = plain.events[0]
    tonight = msgspec.structs.replace(event.sessions[0], **({"re_entry": True} | changes))
    changed = msgspec.structs.replace(event, sessions=(tonight, *event.sessions[1:]))
    return msgspec.structs.replace(plain, events=(changed,))


def book(box: TestBox, kind: str = CHILD, quantity: int = 1) -> OrderView:
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(kind, quantity)])
        return booking.confirm(unit, held.id)

    return box.run(work)


def scan(box: TestBox, code: str, way: str | None = "in", lane: str = "lane-1") -> CheckInView:
    return box.run(lambda unit: door.check_in(unit, code, BADGE, lane, way))  # type: ignore[arg-type]


def said(view: CheckInView) -> str:
    return view.reason or view.verdict


def heads(box: TestBox) -> tuple[int, int, int]:
    """(inside, admitted, capacity) of tonight."""
    [tonight] = box.look(overview.door_view).sessions
    return tonight.inside, tonight.admitted, tonight.capacity


def test_an_exit_is_recorded_counted_and_told_with_the_admission_it_ends(box):
    code = book(box).tickets[0].code
    came = scan(box, code)
    assert heads(box) == (1, 1, 30)
    went = scan(box, code, "out")
    assert (went.verdict, went.way) == ("left", "out")
    assert heads(box) == (0, 1, 30)
    assert bodies(box)[-1] == Exited(
        went.id, "left", None, came.ticket.id, TONIGHT, BADGE, box.turn.now.wall_ms, after=came.id
    )


def test_without_re_entry_who_went_out_stays_out_and_the_scan_is_kept(box):
    code = book(box).tickets[0].code
    scan(box, code)
    scan(box, code, "out")
    assert said(scan(box, code)) == "no_re_entry"
    assert heads(box)[0] == 0
    assert len(box.look(door.recent)) == 3


def test_with_re_entry_one_ticket_goes_out_and_in_and_prints_one_stub(box):
    allow_re_entry(box)
    code = book(box).tickets[0].code
    assert [said(scan(box, code, way)) for way in ("in", "out", "out", "in", "in", "out")] == [
        "admitted",
        "left",
        "not_inside",
        "admitted",
        "already_admitted",
        "left",
    ]
    stubs = [job for job in iter(lambda: box.run(printing.claim), None) if job.kind == "stub"]
    assert len(stubs) == 1
    again = [each for each in bodies(box) if isinstance(each, CheckedIn) and each.verdict == "admitted"][1]
    left = next(each for each in bodies(box) if isinstance(each, Exited))
    assert again.after == left.check_in


def test_a_ticket_that_never_came_in_or_belongs_elsewhere_cannot_leave(box):
    assert said(scan(box, book(box).tickets[0].code, "out")) == "not_inside"
    assert said(scan(box, book(box, ELSEWHERE).tickets[0].code, "out")) == "wrong_session"
    assert said(scan(box, "nonsense", "out")) == "unknown"


def test_taking_an_exit_back_brings_them_inside_and_taking_a_re_entry_back_leaves_them_outside(box):
    allow_re_entry(box)
    code = book(box).tickets[0].code
    scan(box, code)
    went = scan(box, code, "out")
    box.run(lambda unit: door.undo(unit, went.id, BADGE))
    assert heads(box)[:2] == (1, 1)
    scan(box, code, "out")
    again = scan(box, code)
    box.run(lambda unit: door.undo(unit, again.id, BADGE))
    assert heads(box)[:2] == (0, 1)
    assert said(scan(box, code)) == "admitted"


def test_taking_the_first_admission_back_frees_the_ticket_also_from_outside(box):
    code = book(box).tickets[0].code
    came = scan(box, code)
    scan(box, code, "out")
    box.run(lambda unit: door.undo(unit, came.id, BADGE))
    assert heads(box)[:2] == (0, 0)
    assert said(scan(box, code)) == "admitted"


def test_an_order_code_stands_for_its_next_ticket_on_either_way(box):
    order = book(box, quantity=2)
    assert [said(scan(box, order.code, way)) for way in ("in", "in", "in", "out", "out", "out")] == [
        "admitted",
        "admitted",
        "already_admitted",
        "left",
        "left",
        "not_inside",
    ]


def test_a_lane_that_is_switched_to_out_counts_out_and_others_do_not(box):
    code = book(box).tickets[0].code
    with pytest.raises(NotFound):
        box.run(lambda unit: switches.set_way(unit, "lane-1", "out", BADGE))
    scan(box, code, None)
    box.run(lambda unit: switches.set_way(unit, "lane-1", "out", BADGE))
    assert box.look(switches.lanes) == {"lane-1": "out"}
    assert said(scan(box, code, None)) == "left"
    assert said(scan(box, code, None, lane="lane-2")) == "no_re_entry"
    box.run(lambda unit: switches.set_way(unit, "lane-1", "in", BADGE))
    assert box.look(switches.lanes) == {"lane-1": "in", "lane-2": "in"}


def test_the_catalogue_says_how_many_may_be_inside(box):
    allow_re_entry(box, capacity=7)
    assert heads(box)[2] == 7


def test_the_device_that_sold_a_ticket_follows_it_in_and_out(box, south):
    order = book(box, ELSEWHERE)
    ticket = order.tickets[0]
    came = CheckedIn("c1", "admitted", None, ticket.id, ticket.at.id, BADGE, 1)
    went = Exited("e1", "left", None, ticket.id, ticket.at.id, BADGE, 2, after="c1")
    box.run(lambda unit: door.on_checked_in(unit, came, "south-1"))
    box.run(lambda unit: door.on_exited(unit, went, "south-1"))
    assert box.look(lambda unit: booking.find_order(unit, order.id)).tickets[0].outside
    again = CheckedIn("c2", "admitted", None, ticket.id, ticket.at.id, BADGE, 3, after="e1")
    box.run(lambda unit: door.on_checked_in(unit, again, "south-1"))
    shown = box.look(lambda unit: booking.find_order(unit, order.id)).tickets[0]
    assert (shown.check_in, shown.outside) == ("c2", False)


def test_a_replacement_is_told_who_is_inside_and_who_went_out(box):
    first, second = book(box).tickets[0], book(box).tickets[0]
    told = (
        CheckedIn("c1", "admitted", None, first.id, TONIGHT, BADGE, 1),
        CheckedIn("c2", "admitted", None, second.id, TONIGHT, BADGE, 1),
        Exited("e2", "left", None, second.id, TONIGHT, BADGE, 2, after="c2"),
    )
    retold = VenueRetold(1, 1, tuple(Retold("north-0", each) for each in told))
    for _ in range(2):
        box.run(lambda unit: takeover.on_retold(unit, retold))
        assert heads(box)[:2] == (1, 2)
    assert said(scan(box, second.code)) == "no_re_entry"


@given(steps=st.lists(st.sampled_from(["in", "out", "undo"]), max_size=12))
@settings(max_examples=25, deadline=None)
def test_after_any_steps_heads_are_those_of_the_scans_that_still_count(steps: list[str]):
    """The model: a stack of what counts, in and out in turn; undo takes the last away."""
    with tempfile.TemporaryDirectory() as folder:
        box = make_box(Path(folder), catalogue=catalogue())
        code = book(box).tickets[0].code
        stack: list[str] = []
        for step in steps:
            if step == "undo":
                if stack:
                    box.run(partial(door.undo, check_in_id=stack.pop(), staff=BADGE))
            else:
                seen = scan(box, code, step)
                assert (said(seen) in {"admitted", "left"}) == ((step == "in") == (len(stack) % 2 == 0))
                if said(seen) in {"admitted", "left"}:
                    stack.append(seen.id)
            assert heads(box)[:2] == (len(stack) % 2, min(1, len(stack)))
        box.database.close()
