"""What must hold of pre-enrolments whatever is heard in whatever order, driven over the real services by hypothesis."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from appliance.domain.errors import Invalid, SoldOut, SoldOutHere
from appliance.services import booking, door, sweep, sync, verifying
from appliance.services.booking import Item
from appliance.store import tables
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.messages import CancelRefused, OrderRefused, OrderVerified, TicketsVoided, VerificationMoved
from tests.appliance.services.test_requests import hear
from tests.appliance.services.test_verifying import MAIL, checked
from tests.support.box import ADULT, BADGE, CHILD, ELSEWHERE, HALL, ROOM, guest, make_box

TYPES = st.sampled_from([ADULT, CHILD, ELSEWHERE])


class Enrolments(RuleBasedStateMachine):
    """Sales to be verified, words about them from everybody, cancels, scans, reboots and new lives in any order."""

    orders: Bundle[str] = Bundle("orders")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.epoch = 1
        self.said: dict[str, set[str]] = {}
        self.box = make_box(Path(self.folder.name), catalogue=checked(), grants={ROOM: 6, HALL: 4}, elsewhere=3)

    def teardown(self) -> None:
        if hasattr(self, "box"):
            self.box.database.close()
            self.folder.cleanup()

    @rule(target=orders, items=st.lists(st.tuples(TYPES, st.integers(1, 2)), min_size=1, max_size=2))
    def enrol(self, items):
        try:
            held = self.box.run(lambda unit: booking.place_hold(unit, guest(), [Item(*each) for each in items]))
            return self.box.run(lambda unit: booking.confirm(unit, held.id, contact=MAIL)).id
        except (SoldOut, SoldOutHere):
            return multiple()

    def look(self, order):
        return self.box.look(lambda unit: booking.find_order(unit, order))

    def hear(self, order, body, origin="cloud") -> None:
        self.said.setdefault(order, set()).add(f"{type(body).__name__} {origin}")
        hear(self.box, body, origin)

    @rule(order=orders, yes=st.booleans())
    def the_centre_decides(self, order, yes):
        self.hear(order, OrderVerified(order, "centre") if yes else OrderRefused(order, "member"))

    @rule(order=orders)
    def the_centre_tells_how_far_it_is(self, order):
        self.hear(order, VerificationMoved(order, "code", "wrong", 2))

    @rule(order=orders)
    def staff_verify(self, order):
        try:
            self.box.run(lambda unit: verifying.verify_here(unit, order, BADGE))
            self.said.setdefault(order, set()).add("staff")
        except Invalid:
            assert self.look(order).status != "pending"

    @rule(order=orders)
    def the_other_door_verifies(self, order):
        self.hear(order, OrderVerified(order, "S1"), "south-1")

    @rule(order=orders, admitted=st.booleans())
    def the_other_door_answers(self, order, admitted):
        """Only what it was asked to void, and only once, as a door does."""
        seen = self.look(order)
        away = tuple(each.id for each in seen.tickets if each.at.venue == "south" and not each.voided)
        if away and seen.status in {"cancel_pending", "refused"}:
            self.hear(order, (CancelRefused if admitted else TicketsVoided)(order, away), "south-1")

    @rule(order=orders)
    def cancel(self, order):
        if not any(each.admitted_at_ms for each in self.look(order).tickets):
            self.box.run(lambda unit: booking.cancel(unit, order))

    @rule(order=orders)
    def scan(self, order):
        for ticket in self.look(order).tickets:
            self.box.run(partial(door.check_in, code=ticket.code, staff=BADGE, lane="1"))

    @rule()
    def reboot_and_sweep(self):
        self.box.turn.reboot()
        self.box.run(sweep.sweep)

    @rule()
    def new_life(self):
        self.box.run(sync.begin_incarnation)
        self.epoch += 1
        self.box.grant({ROOM: 3, HALL: 2}, epoch=self.epoch, elsewhere=3)

    @invariant()
    def a_pending_ticket_is_sold_until_it_is_cancelled(self):
        if not hasattr(self, "box"):
            return
        with self.box.database.read() as db:
            for row in db.execute(select(tables.allocation)):
                mine = (tables.ticket.c.quota == row.quota) & (tables.ticket.c.epoch == row.epoch)
                sold = select(func.count()).select_from(tables.ticket).where(mine)
                assert db.execute(sold).scalar_one() == row.sold
                assert db.execute(sold.where(tables.ticket.c.counted_cancelled)).scalar_one() == row.cancelled
                assert row.sold - row.cancelled + row.held <= row.granted - row.returned

    @invariant()
    def a_receipt_says_pending_exactly_while_its_order_is(self):
        if not hasattr(self, "box"):
            return
        joined = tables.ticket.join(tables.order, tables.order.c.id == tables.ticket.c.order)
        with self.box.database.read() as db:
            rows = db.execute(select(tables.ticket, tables.order.c.status).select_from(joined)).all()
        for row in rows:
            pending = receipts.read(row.receipt).claims.pending
            assert pending or row.status != "pending"
            assert not pending or row.status != "confirmed" or row.voided
            assert row.checked_in_by is None or not pending, "nobody comes in on what is not verified"

    @invariant()
    def nobody_is_confirmed_without_a_word(self):
        if not hasattr(self, "box"):
            return
        yes = {"OrderVerified cloud", "OrderVerified south-1", "CancelRefused south-1", "staff"}
        with self.box.database.read() as db:
            needed = {row.order for row in db.execute(select(tables.verification))}
            for row in db.execute(select(tables.order).where(tables.order.c.status == "confirmed")):
                assert row.id not in needed or self.said.get(row.id, set()) & yes


TestEnrolments = Enrolments.TestCase
TestEnrolments.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_rules_of_pre_enrolment_hold_over_many_long_histories():
    run_state_machine_as_test(Enrolments, settings=settings(max_examples=80, stateful_step_count=40, deadline=None))
