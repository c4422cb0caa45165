"""A device that is sealed, one that takes its venue over, and one whose cloud was restored from a backup."""

from __future__ import annotations

import msgspec
import pytest

from appliance.domain.clock import DAY_MS
from appliance.domain.errors import SaleClosed
from appliance.services import booking, cancelling, door, payments, show, sync, waitlist
from appliance.services.booking import Item
from appliance.services.overview import door_view
from appliance.services.sweep import sweep
from appliance.store import allocations, orders
from mqtt_bridge.mailbox import sender
from mqtt_bridge.protocol import ids, receipts
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import (
    Ack,
    CancelRequested,
    CheckedIn,
    Content,
    DeviceClosed,
    DeviceKey,
    Envelope,
    KeyDirectory,
    OfferWithdrawn,
    OrderCancelled,
    OrderConfirmed,
    PaymentTaken,
    ReceiptSeen,
    Retold,
    TicketsVoided,
    VenueRetold,
)
from tests.appliance.services.outbox import bodies
from tests.support.box import ADULT, BADGE, ELSEWHERE, ROOM, TestBox, desk, guest, make_box, state


def book(box: TestBox, kind: str = ADULT, quantity: int = 1):
    def work(unit):
        hold = booking.place_hold(unit, guest(), [Item(kind, quantity)])
        return booking.confirm(unit, hold.id, client=guest())

    return box.run(work)


def sent(box: TestBox) -> list:
    rows = box.look(lambda unit: unit.mail.unacked("cloud", unit.inc))
    return [decode(decode(row.envelope, Envelope).content, Content).body for row in rows]


def hear(box: TestBox, revision: int | None = None, **changes: object) -> None:
    def work(unit):
        number = unit.device.state_revision + 1 if revision is None else revision
        told = state(unit, (), revision=number)
        sync.apply_state(unit, msgspec.structs.replace(told, **changes))

    box.run(work)


def seal(box: TestBox, sealed: TestBox, answered_by: TestBox, *, revoked: bool = False) -> None:
    """Let ``box`` learn that ``sealed`` was sealed and who answers for it."""
    name, signer = sealed.identity, sealed.signer
    key = DeviceKey(
        name.device, name.venue, False, signer.kid, signer.public.hex(), revoked, True, answered_by.identity.device
    )
    box.run(lambda unit: sync.apply_keys(unit, KeyDirectory(9, (key,))))


def retell(old: TestBox, order) -> tuple[Retold, ...]:
    """What the cloud knows of an order of ``old``, as it tells it."""
    confirmed = next(each for each in sent(old) if isinstance(each, OrderConfirmed) and each.order == order.id)
    return (Retold(old.identity.device, msgspec.structs.replace(confirmed, stock=())),)


def test_a_sealed_device_ends_holds_returns_its_stock_once_and_sells_no_more(box):
    """What it sold stays sold; the cloud gets a signed word about the rest."""
    book(box, quantity=2)
    box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 3)]))
    for _ in range(2):
        hear(box, sealed=True)
    returned = [each for each in sent(box) if isinstance(each, DeviceClosed)]
    assert len(returned) == 1
    room = next(each for each in returned[0].stock if each.quota == ROOM)
    assert (room.totals.sold, room.totals.returned, room.totals.unsold) == (2, 8, 0)
    with pytest.raises(SaleClosed, match="closed for good"):
        book(box)
    view = box.look(door_view)
    assert (view.sealed, view.door) == (True, False)


def test_a_sealed_device_stays_sealed_whatever_a_forgetful_cloud_says(box):
    """A cloud restored from before the seal would open it again."""
    hear(box, sealed=True)
    hear(box, generation=2, revision=1)
    assert box.look(door_view).sealed
    with pytest.raises(SaleClosed):
        book(box)


def test_a_copy_that_went_back_in_time_returns_nothing_when_it_is_sealed(box):
    """Its stock may have been sold by what it forgot."""
    hear(box, sealed=True, stop=True)
    assert sent(box)[-1] == DeviceClosed(())


def test_a_state_of_a_later_generation_counts_whatever_its_number(box):
    """And one of the old cloud, late, does not."""
    hear(box, generation=2, revision=1)
    assert box.look(lambda unit: (unit.device.generation, unit.device.state_revision)) == (2, 1)
    hear(box, generation=1, revision=99, door=False)
    assert box.look(door_view).door


def test_a_restored_cloud_is_told_again_what_it_lacks_of_every_life(box):
    """Two messages of the first life and one of the second were acknowledged; the backup knows one of each."""
    book(box), book(box)
    first = box.look(lambda unit: unit.inc)
    box.run(lambda unit: unit.mail.acknowledge("cloud", Ack(first, 2), 1))
    box.run(sync.begin_incarnation)
    box.grant({ROOM: 5}, epoch=2)
    book(box)
    second = box.look(lambda unit: unit.inc)
    box.run(lambda unit: unit.mail.acknowledge("cloud", Ack(second, 1), 1))
    assert box.run(lambda unit: sender.start_over(unit.mail, "cloud", Ack(second, 0))) == 3
    assert box.look(sync.hello).earlier == (first,)


def test_what_the_cloud_has_is_kept_until_a_week_after_the_last_date(box):
    """A restored cloud asks for it again; afterwards only the newest stays, from which the next is counted."""
    book(box), book(box), book(box)
    inc = box.look(lambda unit: unit.inc)
    box.run(lambda unit: unit.mail.acknowledge("cloud", Ack(inc, 3), unit.now.wall_ms))
    for days, again in ((6, 3), (10, 1)):
        box.turn.advance(days * DAY_MS)
        box.run(sweep)
        assert box.run(lambda unit: unit.mail.rewind("cloud", Ack(inc, 0))) == again
        box.run(lambda unit: unit.mail.acknowledge("cloud", Ack(inc, 3), 1))


def test_a_replacement_knows_the_orders_it_was_told_of_and_signs_receipts_of_its_own(box, tmp_path):
    """Orders, money, scans; and the guest's old receipt is good beside the new one."""
    (tmp_path / "new").mkdir()
    new = make_box(tmp_path / "new", seed=7)
    order = book(box)
    ticket = order.tickets[0]
    paid = PaymentTaken(order.id, "p1", "cash", order.total_minor, "EUR", BADGE, True, (ticket.id,))
    name = box.identity.device + "-old"
    told = tuple(Retold(name, each.body) for each in (*retell(box, order), Retold("", paid)))
    new.run(lambda unit: sync.apply_message(unit, _content(VenueRetold(1, 2, told, (name,))), None))
    seen = new.look(lambda unit: show.order_view(unit, order.id))
    assert (seen.payment, seen.paid_minor, seen.due_minor) == ("paid", order.total_minor, 0)
    claims = receipts.read(seen.tickets[0].receipt).claims
    assert (claims.ticket, claims.paid, claims.issuer) == (ticket.id, True, new.identity.device)
    assert new.look(door_view).retold == (1, 2)
    assert new.run(lambda unit: door.check_in(unit, ticket.code, BADGE, "door")).verdict == "admitted"
    # Told again, with a scan in between, nothing changes.
    new.run(lambda unit: sync.apply_message(unit, _content(VenueRetold(2, 2, told, (name,))), None))
    assert new.run(lambda unit: door.check_in(unit, ticket.code, BADGE, "door")).verdict == "already_admitted"


def test_a_replacement_answers_for_cancels_of_its_predecessor(box, south):
    """Hosted here: void at once, the cloud counts. Hosted elsewhere: the other door is asked."""
    south.grant({ROOM: 3})
    here = book(south)
    seal(box, south, box)
    box.run(lambda unit: sync.apply_message(unit, _content(VenueRetold(1, 1, retell(south, here), ("south-1",))), None))
    assert box.run(lambda unit: cancelling.cancel(unit, here.id)).status == "cancelled"
    assert sent(box)[-1] == TicketsVoided(here.id, (here.tickets[0].id,))
    away = _order_away(south, box)
    assert box.run(lambda unit: cancelling.cancel(unit, away)).status == "cancel_pending"
    assert isinstance(sent(box)[-1], CancelRequested)
    ids = tuple(each.id for each in box.look(lambda unit: show.order_view(unit, away)).tickets)
    cancelled = OrderCancelled(away, ids, ())
    box.run(lambda unit: sync.apply_message(unit, _content(cancelled, "south-1"), None))
    assert box.look(lambda unit: show.order_view(unit, away)).status == "cancelled"
    assert box.look(lambda unit: allocations.count(unit.db, ROOM, 1)).totals.cancelled == 0


def _order_away(south: TestBox, box: TestBox) -> str:
    """An order of ``south`` for its own session, known at ``box`` because it answers for it."""
    fact = next(each for each in sent(south) if isinstance(each, OrderConfirmed)).tickets[0]
    at = msgspec.structs.replace(
        fact, ticket=ids.secret(bytes(16)), code="AAAA0000", event_session="away", ticket_type=ELSEWHERE
    )
    body = OrderConfirmed("o-away", "AWAY0000", "promised", (at,), (), 1)
    told = VenueRetold(1, 1, (Retold("south-1", body),), ("south-1",))
    box.run(lambda unit: sync.apply_message(unit, _content(told), None))
    return "o-away"


def test_a_replacement_may_take_its_predecessors_scan_back(box, south):
    """Staff made a mistake a minute before the old board died."""
    south.grant({ROOM: 3})
    order = book(south)
    scan = CheckedIn("c-old", "admitted", None, order.tickets[0].id, order.tickets[0].at.id, BADGE, 5)
    told = VenueRetold(1, 1, (*retell(south, order), Retold("south-1", scan)), ("south-1",))
    seal(box, south, box)
    box.run(lambda unit: sync.apply_message(unit, _content(told), None))
    assert box.look(lambda unit: orders.find_ticket(unit.db, order.tickets[0].id)).checked_in_by == "c-old"
    box.run(lambda unit: door.undo(unit, "c-old", BADGE))
    assert box.look(lambda unit: orders.find_ticket(unit.db, order.tickets[0].id)).checked_in_by is None


def test_a_device_learns_its_own_forgotten_orders_again(box, tmp_path):
    """A card restored in place: the cloud remembers what the card forgot."""
    (tmp_path / "again").mkdir()
    order = book(box)
    again = make_box(tmp_path / "again")
    told = VenueRetold(1, 1, retell(box, order), ())
    again.run(lambda unit: sync.apply_message(unit, _content(told), None))
    seen = again.look(lambda unit: show.order_view(unit, order.id))
    assert (seen.status, seen.issuer) == ("confirmed", "north-1")
    assert receipts.read(seen.tickets[0].receipt).claims.ticket == order.tickets[0].id


@pytest.mark.fault(17)
def test_a_receipt_of_a_sale_nobody_heard_of_is_reported_beside_the_scan(box, south):
    """Once admitted it is known; a receipt for another venue is reported all the same."""
    south.grant({ROOM: 3})
    order = book(south)
    south.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", order.total_minor))
    receipt = south.look(lambda unit: show.order_view(unit, order.id)).tickets[0].receipt
    for _ in range(2):
        box.run(lambda unit: door.check_in(unit, receipt, BADGE, "door"))
    kinds = [type(each).__name__ for each in sent(box)]
    assert kinds == ["ReceiptSeen", "CheckedIn", "CheckedIn"]
    assert sent(box)[0] == ReceiptSeen(receipt)


def test_a_stolen_cards_receipts_are_good_only_for_tickets_we_were_told_of(box, south):
    """Its key was revoked with the seal: what it signs proves nothing any more."""
    south.grant({ROOM: 3})
    known, unknown = book(south), book(south)
    seal(box, south, box, revoked=True)
    box.run(lambda unit: sync.apply_message(unit, _content(VenueRetold(1, 1, retell(south, known), ())), None))
    scan = lambda order: box.run(lambda unit: door.check_in(unit, order.tickets[0].receipt, BADGE, "door"))  # noqa: E731
    assert scan(known).reason == "unpaid"
    assert scan(unknown).reason == "bad_signature"


def _content(body, origin: str = "cloud") -> Content:
    return Content(1, "org", "cloud", origin, "1.x", 1, body, 1)


def test_a_sealed_device_withdraws_its_offers_so_that_its_replacement_makes_them(box):
    """Whoever waits keeps the place; nothing is left, lapsed or told again by the sealed device."""
    held = box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 10)]))
    entry = box.run(lambda unit: waitlist.join(unit, guest(), [Item(ADULT, 1)])).id
    box.run(lambda unit: booking.release_hold(unit, held.id))
    assert box.look(lambda unit: waitlist.look(unit, entry)).state == "offered"
    hear(box, sealed=True)
    box.run(sweep)
    assert box.look(lambda unit: waitlist.look(unit, entry)).state == "waiting"
    assert [type(each) for each in bodies(box)[-2:]] == [OfferWithdrawn, DeviceClosed]
