"""The rules that must hold whatever happens, driven over the real services by hypothesis."""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import HoldExpired, Invalid, LimitReached, SaleClosed, SoldOut, SoldOutHere
from appliance.services import asking, booking, changing, door, payments, sweep, sync, turns, waitlist
from appliance.services.booking import Item
from appliance.store import allocations, tables, waiting
from mqtt_bridge.protocol.messages import (
    Content,
    Granted,
    InLine,
    OrderConfirmed,
    OrderRefused,
    ReturnAllocation,
    StockCount,
    TicketFact,
    TicketsVoided,
)
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.protocol.waitlist import serve
from tests.appliance.services.test_requests import on_request
from tests.support.box import (
    ADULT,
    BADGE,
    CHILD,
    ELSEWHERE,
    HALL,
    OPEN_LIMITS,
    ROOM,
    START_MS,
    desk,
    guest,
    make_box,
    state,
)

TYPES = st.sampled_from([ADULT, CHILD, ELSEWHERE])
# What a guest may hear at any time; long histories outlast the sale.
SHORT = (SoldOut, SoldOutHere, SaleClosed)


class BoxOffice(RuleBasedStateMachine):
    """Holds, sales, requests, cancels, waiting, grants, returns, reboots and new epochs in any order."""

    holds: Bundle[str] = Bundle("holds")
    orders: Bundle[str] = Bundle("orders")
    entries: Bundle[str] = Bundle("entries")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.epoch, self.granted = 1, {ROOM: 6, HALL: 4}
        self.fenced: dict[tuple[str, int], int] = {}
        self.ended: dict[str, str] = {}
        self.answers: dict[str, OrderConfirmed | OrderRefused] = {}
        self.confirmed: Counter[tuple[str, int]] = Counter()
        self.box = make_box(Path(self.folder.name), catalogue=on_request(OPEN_LIMITS), grants=self.granted, elsewhere=3)

    def teardown(self) -> None:
        if hasattr(self, "box"):
            self.box.database.close()
            self.folder.cleanup()

    @rule(target=holds, items=st.lists(st.tuples(TYPES, st.integers(1, 4)), min_size=1, max_size=2))
    def place(self, items):
        wanted = [Item(*each) for each in items]
        try:
            return self.box.run(lambda unit: booking.place_hold(unit, desk(), wanted)).id
        except SHORT:
            return multiple()

    @rule(target=holds, items=st.lists(st.tuples(TYPES, st.integers(1, 4)), min_size=1, max_size=2))
    def ask(self, items):
        wanted = [Item(*each) for each in items]
        try:
            return asking.run(
                self.box, lambda unit: booking.place_hold(unit, guest(), wanted), lambda _seconds: None
            ).id
        except (*SHORT, LimitReached):
            return multiple()

    @rule(order=orders, yes=st.booleans())
    def the_cloud_answers(self, order, yes):
        """Once for good, however often it is told; also when the request was taken back meanwhile."""
        with self.box.database.read() as db:
            asked = db.execute(select(tables.request).where(tables.request.c.order == order)).first()
            tickets = db.execute(select(tables.ticket).where(tables.ticket.c.order == order)).all()
        if asked is None:
            return
        if order not in self.answers:
            self.answers[order] = self.confirmation(order, tickets) if yes else OrderRefused(order, "sold_out")
        self.apply(self.answers[order], "cloud")

    def confirmation(self, order, tickets) -> OrderConfirmed:
        facts = []
        for row in tickets:
            names = ("code", "ticket_type", "event_session", "quota", "price_minor", "currency")
            facts.append(TicketFact(ticket=row.id, epoch=self.epoch, **{name: getattr(row, name) for name in names}))
        self.confirmed.update((each.quota, self.epoch) for each in facts)
        stock = tuple(
            StockCount(quota, self.epoch, Totals(confirmed=self.confirmed[quota, self.epoch]))
            for quota in sorted({each.quota for each in facts})
        )
        return OrderConfirmed(order, "", "promised", tuple(facts), stock, 1)

    @rule(target=orders, hold=holds)
    def confirm(self, hold):
        try:
            return self.box.run(lambda unit: booking.confirm(unit, hold)).id
        except (*SHORT, HoldExpired):
            return multiple()

    @rule(hold=consumes(holds))
    def release(self, hold):
        if self.box.look(lambda unit: booking.find_hold(unit, hold)).state != "confirmed":
            self.box.run(lambda unit: booking.release_hold(unit, hold))

    @rule(target=entries, kind=TYPES, quantity=st.integers(1, 4))
    def join(self, kind, quantity):
        try:
            return self.box.run(lambda unit: waitlist.join(unit, desk(), [Item(kind, quantity)])).id
        except (Invalid, SaleClosed):
            return multiple()

    @rule(entry=entries)
    def leave(self, entry):
        if self.box.look(lambda unit: waitlist.look(unit, entry)).state != "taken":
            self.box.run(lambda unit: waitlist.leave(unit, entry))

    @rule(target=orders, entry=entries)
    def take(self, entry):
        with self.box.database.read() as db:
            offers = db.execute(select(tables.hold.c.id).where(tables.hold.c.entry == entry)).scalars().all()
        taken: Any = multiple()
        for hold in offers:
            try:
                taken = self.box.run(partial(booking.confirm, hold_id=hold)).id
            except HoldExpired:
                continue
        return taken

    @rule(before=st.lists(st.integers(1, 3), max_size=2), linked=st.booleans())
    def the_cloud_tells_the_line(self, before, linked):
        def work(unit):
            sync.link_changed(unit, linked)
            grant = Granted(ROOM, self.epoch, self.granted[ROOM], 0, 3, 25, tuple(InLine(0, each) for each in before))
            sync.apply_state(unit, state(unit, (grant,), revision=unit.device.state_revision + 1))

        self.box.run(work)

    @rule(minutes=st.sampled_from([1, 5, 11]), swept=st.booleans())
    def wait(self, minutes, swept):
        """A cloud that fell silent is noticed by the desk's own look: what was kept for its line is nobody's until then."""
        self.box.turn.advance(minutes * MINUTE_MS)
        if swept or self.box.look(lambda unit: waiting.told(unit.db)):
            self.box.run(sweep.sweep)

    @rule()
    def reboot(self):
        """The desk looks as soon as it starts."""
        self.box.turn.reboot()
        self.box.run(sweep.sweep)

    @rule(order=orders)
    def cancel(self, order):
        seen = self.box.look(lambda unit: booking.find_order(unit, order))
        if not any(ticket.admitted_at_ms for ticket in seen.tickets):
            self.box.run(lambda unit: booking.cancel(unit, order))

    @rule(target=orders, order=orders, items=st.lists(st.tuples(TYPES, st.integers(1, 4)), min_size=1, max_size=2))
    def change(self, order, items):
        """Whatever becomes of it, the guest has tickets afterwards if there were any before."""
        before = self.box.look(lambda unit: booking.find_order(unit, order))
        try:
            now = self.box.run(lambda unit: changing.change(unit, order, [Item(*each) for each in items]))
        except (*SHORT, LimitReached, Invalid):
            assert self.box.look(lambda unit: booking.find_order(unit, order)) == before
            return multiple()
        assert now.status == "confirmed" or before.changed_to
        return now.id

    @rule(order=orders)
    def the_other_door_voids(self, order):
        seen = self.box.look(lambda unit: booking.find_order(unit, order))
        away = tuple(ticket.id for ticket in seen.tickets if ticket.at.venue == "south")
        if seen.status == "cancel_pending":
            self.apply(TicketsVoided(order, away), "south-1")

    @rule(order=orders)
    def pay_and_admit(self, order):
        seen = self.box.look(lambda unit: booking.find_order(unit, order))
        if seen.status == "confirmed" and seen.due_minor:
            self.box.run(lambda unit: payments.take_payment(unit, order, BADGE, "cash", seen.due_minor))
        self.box.run(lambda unit: door.check_in(unit, seen.code, BADGE, "1"))

    @rule(quota=st.sampled_from([ROOM, HALL]), more=st.integers(0, 5))
    def grant(self, quota, more):
        self.granted[quota] += more
        self.box.grant({quota: self.granted[quota]}, epoch=self.epoch, elsewhere=3)

    @rule(quota=st.sampled_from([ROOM, HALL]), returned=st.integers(1, 8))
    def recall(self, quota, returned):
        self.apply(ReturnAllocation(quota, self.epoch, returned), "cloud")

    @rule()
    def new_life(self):
        self.box.run(sync.begin_incarnation)
        with self.box.database.read() as db:
            rows = db.execute(select(tables.allocation))
            self.fenced = {(row.quota, row.epoch): row.sold for row in rows}
        self.epoch, self.granted = self.epoch + 1, {ROOM: 3, HALL: 2}
        self.box.grant(self.granted, epoch=self.epoch, elsewhere=3)

    def apply(self, body, origin: str) -> None:
        content = Content(v=1, org="org", sender="cloud", origin=origin, inc="c", seq=1, body=body, wall_ms=0)
        self.box.run(lambda unit: sync.apply_message(unit, content, None))

    @invariant()
    def stock_is_never_promised_twice(self):
        if not hasattr(self, "box"):
            return
        with self.box.database.read() as db:
            for row in db.execute(select(tables.allocation)):
                assert row.held >= 0
                assert row.sold == self.fenced.get((row.quota, row.epoch), row.sold), "sold behind the fence"
                assert row.cancelled <= row.sold + row.confirmed
                assert row.confirmed == self.confirmed[row.quota, row.epoch]
                assert row.sold - row.cancelled + row.held <= row.granted - row.returned
                mine = (tables.ticket.c.quota == row.quota) & (tables.ticket.c.epoch == row.epoch)
                sold = select(func.count()).select_from(tables.ticket).where(mine)
                assert db.execute(sold).scalar_one() == row.sold + row.confirmed
                cancelled = sold.where(tables.ticket.c.counted_cancelled)
                assert db.execute(cancelled).scalar_one() == row.cancelled
                assert db.execute(_held(row.quota, row.epoch)).scalar_one() == row.held

    @invariant()
    def an_offer_is_one_open_hold_and_an_end_is_for_good(self):
        if not hasattr(self, "box"):
            return
        with self.box.database.read() as db:
            held = {row.entry: row.id for row in db.execute(select(tables.hold).where(tables.hold.c.state == "open"))}
            for row in db.execute(select(tables.waiting)):
                assert (row.state == "offered") == (row.entry in held), (row.state, held)
                assert row.state != "offered" or row.hold == held[row.entry]
                assert self.ended.get(row.entry, row.state) == row.state
                if row.ended_at_ms is not None:
                    self.ended[row.entry] = row.state

    @invariant()
    def nobody_who_is_due_waits(self):
        if not hasattr(self, "box") or self.box.turn.now.wall_ms >= START_MS + 3 * HOUR_MS:
            return

        def due(unit):
            shelves = allocations.shelves(unit.db)
            return [serve(queue, shelves[quota].free).offers for quota, queue in turns.queues(unit, shelves).items()]

        assert not any(self.box.look(due))

    @invariant()
    def a_request_is_what_its_order_says(self):
        if not hasattr(self, "box"):
            return
        joined = tables.request.join(tables.order, tables.order.c.id == tables.request.c.order)
        with self.box.database.read() as db:
            for row in db.execute(select(tables.request, tables.order.c.status).select_from(joined)):
                assert row.open == (row.status == "requested")
                receipts = select(tables.ticket.c.receipt).where(tables.ticket.c.order == row.order)
                assert all(bool(each) == row.confirmed for each in db.execute(receipts).scalars())
                assert row.confirmed or row.status in {"requested", "refused", "cancelled"}

    @invariant()
    def nobody_is_inside_on_a_cancelled_ticket(self):
        if not hasattr(self, "box"):
            return
        with self.box.database.read() as db:
            inside = (
                select(func.count())
                .select_from(tables.ticket)
                .where(tables.ticket.c.voided, tables.ticket.c.checked_in_by.is_not(None))
            )
            assert db.execute(inside).scalar_one() == 0


def _held(quota: str, epoch: int):
    item, hold = tables.hold_item, tables.hold
    return (
        select(func.coalesce(func.sum(item.c.quantity), 0))
        .join(hold, hold.c.id == item.c.hold)
        .where(hold.c.state == "open", item.c.quota == quota, item.c.epoch == epoch)
    )


TestBoxOffice = BoxOffice.TestCase
TestBoxOffice.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_rules_hold_over_many_long_histories():
    run_state_machine_as_test(BoxOffice, settings=settings(max_examples=150, stateful_step_count=50, deadline=None))
