"""Devices that are sealed, replaced and read from their old cards; a cloud that is put back from an old backup.

Each on SQLite and on PostgreSQL. Whatever happens, ``conserved`` holds: nothing is granted twice unless an operator bought it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mqtt_bridge.cloud import losses, price, recovering, repair
from mqtt_bridge.cloud.catalogue import CatalogueRefused
from mqtt_bridge.cloud.doubt import ReleaseRefused
from mqtt_bridge.cloud.fleet import Entry
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.cloud.limits import change_limit
from mqtt_bridge.cloud.losses import RestoreRefused, SealRefused
from mqtt_bridge.cloud.overview import overview
from mqtt_bridge.cloud.recovering import Card
from mqtt_bridge.cloud.store import apply_catalogue, lift_freeze, open_cloud, register_device
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import ids, receipts
from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.messages import (
    Ack,
    AllocationReturned,
    CancelRefused,
    CancelRequested,
    CheckedIn,
    DeviceClosed,
    Hello,
    KeyDirectory,
    OrderCancelled,
    OrderConfirmed,
    PaymentTaken,
    ReceiptSeen,
    TicketFact,
    TicketsVoided,
    VenueRetold,
)
from mqtt_bridge.protocol.receipts import TicketClaims
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.protocol.topics import everyone
from tests.mqtt_bridge.cloud.restored import Restored, heard
from tests.mqtt_bridge.cloud.world import ORG, FakeDevice, Key, World, catalogue, import_into
from tests.support import postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.running() as started:
        yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """25 seats at two venues."""
    where: str | Path = tmp_path / "cloud.db"
    if request.param == "postgresql":
        where = request.getfixturevalue("server")
        postgresql.empty(where)
    opened = open_cloud(where)
    made = World(opened)
    import_into(made)
    yield made
    opened.close()


def conserved(world: World) -> None:
    """Pool + sum(granted - returned + confirmed) = limit + extra, pool >= 0, and extra is what was released."""
    limit, extra, released = world.rows("SELECT \"limit\", extra, released FROM quota WHERE id = 'q'")[0]
    assert world.pool() >= 0
    assert extra == released
    assert limit == 25


def seal(world: World, name: str, **how: object) -> losses.SealPrice:
    price = losses.seal_device(world.database, name, "op", "lost", world.now_ms, log=None, **how)  # type: ignore[arg-type]
    world.tick()
    return price


def released(world: World) -> int:
    return int(str(world.scalar("SELECT released FROM quota WHERE id = 'q'")))


def in_doubt(world: World) -> int:
    with world.database.read() as db:
        return overview(db, world.now_ms).quotas[0].in_doubt


def contradictions(world: World) -> list[str]:
    return [str(row[0]) for row in world.rows("SELECT tickets FROM contradiction WHERE kind = 'oversold' ORDER BY id")]


def sell_out(world: World, device: FakeDevice, name: str) -> int:
    """Sell all that this device can get; returns how many."""
    device.need(world, 25)
    world.tick()
    device.hear(world)
    number = device.totals.unsold
    world.tell(device, device.sell(name, number))
    return number


def test_the_price_is_shown_before_a_device_is_sealed(world: World) -> None:
    """In-doubt stock, open holds, as of when, and that it is a door."""
    hall = world.add("hall-1", "hall")
    world.add("yard-1", "yard")
    hall.held = 3
    hall.totals = Totals(granted=hall.totals.granted, sold=2)
    hall.status(world, unsynced=4)
    world.run()
    world.now_ms += 60_000
    price = losses.price_of_seal(world.database, "hall-1", world.now_ms)
    granted = hall.totals.granted
    assert (price.in_doubt, price.held, price.unsynced, price.door, price.present) == (granted - 2, 3, 4, True, False)
    words = " ".join(price.words(world.now_ms))
    assert "last heard of 60 s ago and then had 4 messages left" in words
    assert f"{granted - 2} tickets go in doubt" in words
    assert "door of hall" in words
    with pytest.raises(SealRefused, match="no device 'attic-1'"):
        losses.price_of_seal(world.database, "attic-1", 0)


def test_a_sealed_device_gets_nothing_more_and_everybody_learns_of_it(world: World) -> None:
    """Its stock is in doubt, its key stays good, its state tells it to stop, the venue has no door."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.sell("o1", 2))
    price = seal(world, "hall-1")
    assert in_doubt(world) == price.in_doubt == hall.totals.unsold
    state = world.state("hall-1")
    assert (state.sealed, state.door, state.grants) == (True, False, ())
    directory = decode(world.wire.retained[everyone(ORG, "keys")], KeyDirectory)
    key = next(each for each in directory.keys if each.device == "hall-1")
    assert (key.sealed, key.revoked, key.door) == (True, False, False)
    yard.need(world, 25)
    world.tick()
    conserved(world)
    assert world.totals()["hall-1", hall.epoch].granted == hall.totals.granted
    with pytest.raises(SealRefused, match="sealed already"):
        seal(world, "hall-1")


def test_a_stolen_devices_keys_are_revoked(world: World) -> None:
    """What it signs proves nothing any more, so what it says is not believed either."""
    hall = world.add("hall-1", "hall")
    seal(world, "hall-1", stolen=True)
    directory = decode(world.wire.retained[everyone(ORG, "keys")], KeyDirectory)
    assert [each.revoked for each in directory.keys if each.device == "hall-1"] == [True]
    world.tell(hall, hall.sell("o1"))
    assert world.rows("SELECT id FROM orders") == []


def test_a_stolen_device_gets_no_other_key(world: World) -> None:
    """Over the connection that it still has it shows a fresh one: nothing is pinned, and what that signs is not believed."""
    hall = world.add("hall-1", "hall")
    seal(world, "hall-1", stolen=True)
    before = world.rows("SELECT kid, revoked FROM device_key")
    hall.key, hall.inc, hall.seq = Key(), "life-2", 0
    hall.hello(world)
    world.tell(hall, hall.sell("o1"))
    assert world.rows("SELECT kid, revoked FROM device_key") == before
    assert world.rows("SELECT id FROM orders") == []
    assert "strange-key" in world.alarms()


@pytest.mark.fault(20)
def test_late_sales_of_a_sealed_device_count_once_per_ticket_and_are_no_contradiction_while_covered(
    world: World,
) -> None:
    """Told by its log, twice, beside totals that it had reported before."""
    hall = world.add("hall-1", "hall")
    late = [hall.sell("o1", 2), hall.sell("o2")]
    hall.status(world)  # totals say three sold, no ticket is known by id
    world.run()
    seal(world, "hall-1")
    assert world.totals()["hall-1", hall.epoch].sold == 3
    hall.hello(world)
    world.tell(hall, *late, *late)
    assert world.totals()["hall-1", hall.epoch].sold == 3
    world.tell(hall, hall.sell("o3", 2))
    assert world.totals()["hall-1", hall.epoch].sold == 5
    world.tick()
    assert contradictions(world) == []
    assert world.scalar("SELECT count(*) FROM ticket") == 5
    assert world.acked("hall-1") == Ack("life-1", 3)
    conserved(world)


@pytest.mark.fault(20)
def test_a_sealed_device_that_returns_hands_back_what_it_did_not_sell(world: World) -> None:
    """Its own signed word; the pool has the stock again."""
    hall = world.add("hall-1", "hall")
    seal(world, "hall-1")
    hall.hello(world)
    world.run()
    assert world.state("hall-1").sealed
    back = hall.totals.unsold
    hall.totals = Totals(granted=hall.totals.granted, returned=back)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    world.tick()
    assert in_doubt(world) == 0
    assert world.pool() == 25
    conserved(world)


def test_a_grant_that_never_reached_a_sealed_device_comes_back_with_its_last_word(world: World) -> None:
    """It knew of fewer tickets than it was granted, and no state can bring it the others any more."""
    hall = world.add("hall-1", "hall")
    knew = hall.totals.granted
    hall.need(world, 2)
    world.tick()
    if world.state("hall-1").grants[0].granted == knew:
        hall.totals = Totals(granted=knew - 2)
    seal(world, "hall-1")
    hall.hello(world)
    hall.totals = Totals(granted=hall.totals.granted, returned=hall.totals.granted)
    world.tell(hall, hall.envelope(DeviceClosed((hall.count(),))))
    world.tick()
    assert in_doubt(world) == 0
    assert world.pool() == 25
    conserved(world)


def test_released_stock_sells_again_and_what_comes_back_lowers_it_first(world: World) -> None:
    """Five released; seven come back: five lower the release, two enter the pool."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    assert hall.totals.granted >= 7
    sell_out(world, yard, "all")
    seal(world, "hall-1")
    before = world.pool()
    price = losses.price_of_release(world.database, "seats", 5)
    assert price.could_oversell == 5
    losses.release_stock(world.database, "q", 5, "op", world.now_ms)
    assert world.pool() == before + 5
    assert sell_out(world, yard, "again") == before + 5
    hall.hello(world)
    hall.totals = Totals(granted=hall.totals.granted, returned=7)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    world.tick()
    assert released(world) == 0
    pool_and_yard = world.pool() + world.totals()["yard-1", yard.epoch].unsold
    assert pool_and_yard == 2
    conserved(world)
    assert contradictions(world) == []


@pytest.mark.fault(20)
def test_only_what_was_released_since_goes_to_repair(world: World) -> None:
    """All but one in doubt are released and sold; the card turns up with three sales: one fits, two are listed once."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    late = [hall.sell(f"late{k}") for k in range(3)]
    seal(world, "hall-1")
    losses.release_stock(world.database, "q", in_doubt(world) - 1, "op", world.now_ms)
    sell_out(world, yard, "again")
    hall.hello(world)
    world.tell(hall, *late)
    for _ in range(3):
        world.tick()
    assert len(contradictions(world)) == 2
    assert world.scalar("SELECT count(*) FROM orders WHERE issuer = 'hall-1'") == 3
    conserved(world)
    valid = sum(each.valid for each in world.totals().values())
    assert valid == 25 + 2


def test_more_than_is_in_doubt_is_never_released(world: World) -> None:
    """Also not in two steps."""
    world.add("hall-1", "hall")
    seal(world, "hall-1")
    whole = in_doubt(world)
    losses.release_stock(world.database, "q", whole, "op", world.now_ms)
    with pytest.raises(ReleaseRefused, match="0 can be released"):
        losses.release_stock(world.database, "q", 1, "op", world.now_ms)
    with pytest.raises(SealRefused, match="no quota"):
        losses.release_stock(world.database, "gold", 1, "op", world.now_ms)


@pytest.mark.parametrize("how", ["console", "catalogue"])
def test_a_limit_is_lowered_after_what_came_back_lowered_the_released_extra(world: World, how: str) -> None:
    """While the cloud is frozen nothing is planned, so what a lost device gave back still waits to lower the extra."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    number = yard.totals.unsold
    seal(world, "yard-1")
    losses.release_stock(world.database, "q", number, "op", world.now_ms)
    sell_out(world, hall, "o1")
    with world.database.write() as db:
        db.execute(sa.text("UPDATE cloud SET frozen = 'looked at'"))
    yard.totals = Totals(yard.totals.granted, 0, number)
    world.tell(yard, yard.envelope(AllocationReturned((yard.count(),))))
    if how == "console":
        with pytest.raises(price.Refused):
            change_limit(world.database, "q", 25 - number, "op", world.now_ms)
    else:
        with pytest.raises(CatalogueRefused):
            import_into(world, limit=25 - number)
    lift_freeze(world.database, "op", world.now_ms)
    world.tick()
    assert (released(world), world.pool(), world.alarms()) == (0, 0, set())
    conserved(world)


def test_importing_the_catalogue_again_keeps_what_was_released(world: World) -> None:
    """The file knows the limit, the operator what was bought."""
    world.add("hall-1", "hall")
    seal(world, "hall-1")
    losses.release_stock(world.database, "q", 4, "op", world.now_ms)
    assert import_into(world) == []
    assert apply_catalogue(world.database, catalogue(limit=30), {}, world.now_ms)
    assert world.rows('SELECT "limit", extra, released FROM quota') == [(30, 4, 4)]


def test_a_replacement_is_the_door_is_told_the_past_and_answers_for_its_predecessor(world: World) -> None:
    """Orders, money, scans and pending cancels; late sales of the old card reach it too."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    fact = TicketFact("o2-0", "o20", "t", "s", "q", yard.epoch, 1250, "EUR")
    world.tell(hall, hall.sell("o1", 2), hall.envelope(PaymentTaken("o1", "p1", "cash", 2500, "EUR", "A7", True, ())))
    world.tell(hall, hall.envelope(CheckedIn("c1", "admitted", None, "o1-0", "s", "A7", 5)))
    world.tell(yard, yard.sell("o2"), yard.envelope(CancelRequested("o2", (fact,))))
    late = hall.sell("o3")
    done = losses.replace_device(world.database, "hall-2", "hall", "hall-1", "op", "", world.now_ms, log=None)
    assert (done.price.door, done.parts) == (True, 1)
    new = FakeDevice("hall-2", "hall")
    new.hello(world)
    world.tick()
    assert world.state("hall-2").door
    retold = next(each for each in world.bodies("hall-2") if isinstance(each, VenueRetold))
    assert retold.answers_for == ("hall-1",)
    told = [(each.origin, type(each.body).__name__) for each in retold.told]
    assert ("hall-1", "PaymentTaken") in told
    assert ("hall-1", "CheckedIn") in told
    assert ("yard-1", "CancelRequested") in told
    sold = [each.body for each in retold.told if isinstance(each.body, OrderConfirmed)]
    assert {each.order for each in sold} == {"o1", "o2"}
    assert all(each.stock == () for each in sold)
    world.tell(hall, late)
    world.tick()
    assert any(isinstance(each, OrderConfirmed) and each.order == "o3" for each in world.bodies("hall-2"))


def test_the_past_is_told_in_parts_that_fit_a_message(world: World) -> None:
    """Large orders, many of them: every part is far below what a device takes, and nothing is told twice or left out."""
    apply_catalogue(world.database, catalogue(limit=2000), {}, world.now_ms)
    hall = world.add("hall-1", "hall")
    for k in range(20):
        world.tell(hall, hall.sell(f"o{k:02}", 50))
    done = losses.replace_device(world.database, "hall-2", "hall", "hall-1", "op", "", world.now_ms, log=None)
    new = FakeDevice("hall-2", "hall")
    new.hello(world)
    world.tick()
    told = [each for each in world.bodies("hall-2") if isinstance(each, VenueRetold)]
    assert [each.part for each in told] == list(range(1, done.parts + 1))
    assert done.parts > 2
    assert max(len(encode(each)) for each in told) < 64 * 1024
    orders = [each.body.order for part in told for each in part.told if isinstance(each.body, OrderConfirmed)]
    assert sorted(orders) == [f"o{k:02}" for k in range(20)]


def test_a_sealed_issuers_tickets_are_cancelled_on_the_doors_word_once(world: World) -> None:
    """The replacement voids: its place may have been sold again by the lost door, so it stays in doubt."""
    hall = world.add("hall-1", "hall")
    cancel = OrderCancelled("o1", ("o1-0",), ())
    world.tell(hall, hall.sell("o1"))
    losses.replace_device(world.database, "hall-2", "hall", "hall-1", "op", "", world.now_ms, log=None)
    new = FakeDevice("hall-2", "hall")
    new.hello(world)
    world.tick()
    before = world.totals()["hall-1", hall.epoch]
    world.tell(new, new.envelope(TicketsVoided("o1", ("o1-0",))))
    hall.hello(world)
    world.tell(hall, hall.envelope(cancel))
    after = world.totals()["hall-1", hall.epoch]
    assert (after.cancelled, after.returned) == (1, before.returned)
    assert world.rows("SELECT status FROM orders") == [("cancelled",)]
    world.tick()
    assert cancel in world.bodies("hall-2")
    conserved(world)


def test_a_cancel_for_a_sealed_issuer_is_asked_of_the_other_door_and_frees_the_place(world: World) -> None:
    """Sold at the yard, hosted by the hall: certain, because the yard never decided there."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    losses.replace_device(world.database, "yard-2", "yard", "yard-1", "op", "", world.now_ms, log=None)
    new = FakeDevice("yard-2", "yard")
    new.hello(world)
    world.tick()
    fact = TicketFact("o1-0", "o10", "t", "s", "q", yard.epoch, 1250, "EUR")
    world.tell(new, new.envelope(CancelRequested("o1", (fact,))))
    world.tick()
    asked = next(each for each in world.downlink("hall-1") if isinstance(each.body, CancelRequested))
    assert asked.origin == "yard-1"
    doubt, pool = in_doubt(world), world.pool()
    world.tell(hall, hall.envelope(TicketsVoided("o1", ("o1-0",))))
    world.tick()
    assert world.pool() + sum(each.unsold for (name, _), each in world.totals().items() if name == "hall-1") >= pool + 1
    assert in_doubt(world) == doubt
    assert OrderCancelled("o1", ("o1-0",), ()) in world.bodies("yard-2")
    assert world.rows("SELECT status FROM orders") == [("cancelled",)]


def test_cancels_that_wait_for_a_sealed_door_are_answered_on_an_operators_word(world: World) -> None:
    """Granted where nobody came in, refused where somebody did; a door that lives answers for itself."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"), yard.sell("o2"))
    world.tell(hall, hall.envelope(CheckedIn("c1", "admitted", None, "o2-0", "s", "A7", 5)))
    with pytest.raises(SealRefused, match="answers for itself"):
        losses.waiting_cancels(world.database, "hall")
    seal(world, "hall-1")
    for order in ("o1", "o2"):
        fact = TicketFact(f"{order}-0", f"{order}0", "t", "s", "q", yard.epoch, 1250, "EUR")
        world.tell(yard, yard.envelope(CancelRequested(order, (fact,))))
    assert "2 cancels wait" in losses.waiting_cancels(world.database, "hall").words()[0]
    losses.answer_cancels(world.database, "hall", "op", world.now_ms)
    world.tick()
    assert TicketsVoided("o1", ("o1-0",)) in world.bodies("yard-1")
    assert CancelRefused("o2", ("o2-0",)) in world.bodies("yard-1")
    assert world.rows("SELECT id, status FROM orders ORDER BY id") == [("o1", "cancel_pending"), ("o2", "confirmed")]
    assert losses.waiting_cancels(world.database, "hall").cancels == ()
    conserved(world)


# --- attendee-carried log


def test_a_place_that_door_and_issuer_both_gave_back_comes_back_once(world: World) -> None:
    """The door voided a ticket, its issuer counted it, untold, and gave the place back when it heard that it was sealed.

    Its totals arrive before the sales that it has still to tell, so nothing else says how much of its stock is gone.
    """
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    world.tell(hall, hall.envelope(TicketsVoided("o1", ("o1-0",))))
    late = [yard.cancel("o1"), yard.sell("o2", 2)]
    seal(world, "yard-1")
    free = yard.totals.unsold
    yard.totals = Totals(yard.totals.granted, 0, free, yard.totals.sold, yard.totals.cancelled)
    yard.status(world)
    world.tick()
    assert world.totals()["yard-1", yard.epoch].returned == free
    world.tell(yard, *late, yard.envelope(AllocationReturned((yard.count(),))))
    assert world.totals()["yard-1", yard.epoch] == yard.totals
    assert (in_doubt(world), world.alarms()) == (0, set())
    conserved(world)


def receipt_of(device: FakeDevice, ticket: str, *, inc: str = "life-1") -> str:
    claims = TicketClaims(
        issuer=device.name,
        ticket=ticket,
        event_session="s",
        ticket_type="t",
        code="K7QF2M9D",
        price_minor=1250,
        currency="EUR",
        paid=True,
        inc=receipts.inc_hash(inc),
        seq=1,
        epoch=device.epoch,
        issued_at_s=1_700_000_000,
    )
    return receipts.issue(claims, device.key)


@pytest.mark.fault(17)
def test_a_receipt_shown_at_a_door_restores_a_sale_that_died_with_its_card(world: World) -> None:
    """In-doubt stock shrinks, once; the message that comes after all takes the ticket over."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    ticket = ids.secret(bytes(16))
    seal(world, "yard-1")
    before = in_doubt(world)
    seen = ReceiptSeen(receipt_of(yard, ticket))
    world.tell(hall, hall.envelope(seen), hall.envelope(CheckedIn("c1", "admitted", None, ticket, "s", "A7", 5)))
    world.tell(hall, hall.envelope(seen))
    assert in_doubt(world) == before - 1
    assert world.rows("SELECT issuer, payment FROM orders") == [("yard-1", "paid")]
    assert world.rows("SELECT check_in FROM ticket") == [("c1",)]
    fact = TicketFact(ticket, "K7QF2M9D", "t", "s", "q", yard.epoch, 1250, "EUR")
    yard.hello(world)
    world.tell(yard, yard.envelope(OrderConfirmed("o9", "O9", "paid", (fact,), (), 1)))
    assert world.rows("SELECT id FROM orders") == [("o9",)]
    assert world.rows("SELECT order_id, check_in FROM ticket") == [("o9", "c1")]
    assert in_doubt(world) == before - 1
    assert "ticket-twice" not in world.alarms()
    conserved(world)


@pytest.mark.parametrize("sold_first", [True, False])
def test_what_a_door_does_that_knows_a_receipt_alone_reaches_order_and_issuer(world: World, sold_first: bool) -> None:
    """It names the order after the ticket, whether or not the cloud had heard of the sale when it took the money."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    sale = yard.sell("o1", 2)
    doing = [
        PaymentTaken(f"receipt-o1-{k}", f"p{k}", "cash", 1250, "EUR", "A7", True, (f"o1-{k}",)) for k in range(2)
    ] + [CancelRefused("receipt-o1-0", ("o1-0",))]
    told = [hall.envelope(each) for each in doing]
    if sold_first:
        world.tell(yard, sale)
    world.tell(hall, *told)
    if not sold_first:
        world.tell(yard, sale)
    world.tick()
    assert world.rows("SELECT id, payment FROM orders") == [("o1", "paid")]
    assert world.rows("SELECT DISTINCT order_id FROM payment") == [("o1",)]
    assert world.scalar("SELECT count(*) FROM parked") == 0
    assert [each.order for each in world.bodies("yard-1") if isinstance(each, PaymentTaken | CancelRefused)] == 3 * [
        "o1"
    ]


def test_what_is_listed_of_a_receipt_is_decided_when_its_sale_is_told(world: World) -> None:
    """Oversold under the ticket's name; then the card is read, and a rule takes the order back, not a name that is gone."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    number = yard.totals.unsold
    tickets = [ids.secret(bytes([k]) * ids.SECRET_BYTES) for k in range(number)]
    sold = tuple(TicketFact(each, "K7QF2M9D", "t", "s", "q", yard.epoch, 1250, "EUR") for each in tickets)
    lost = yard.envelope(OrderConfirmed("o1", "K7QF2M9D", "promised", sold, (), world.now_ms))
    seal(world, "yard-1")
    losses.release_stock(world.database, "q", number, "op", world.now_ms)
    world.tell(hall, *(hall.envelope(ReceiptSeen(receipt_of(yard, each))) for each in tickets))
    world.tick()
    assert len(contradictions(world)) == number
    world.tell(yard, lost)
    assert world.rows("SELECT DISTINCT order_id FROM contradiction") == [("o1",)]
    repair.set_rule(world.database, "oversold", "refund", "op", world.now_ms)
    assert repair.apply_rules(world.database, world.now_ms) == number


def test_a_receipt_of_a_device_that_lives_is_remembered_until_it_dies(world: World) -> None:
    """The door reports it only once, and the issuer's card may die tomorrow."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.envelope(ReceiptSeen(receipt_of(yard, ids.secret(bytes(16))))))
    assert world.totals()["yard-1", yard.epoch].sold == 0
    seal(world, "yard-1")
    assert world.totals()["yard-1", yard.epoch].sold == 1


def test_a_receipt_that_proves_nothing_is_listed_and_counts_nothing(world: World) -> None:
    """Of a stolen card, of a life nobody knows, or no receipt at all; the stream goes on."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    seal(world, "yard-1", stolen=True)
    stolen = ReceiptSeen(receipt_of(yard, ids.secret(bytes(16))))
    strange = ReceiptSeen(receipt_of(hall, ids.secret(bytes(range(16))), inc="life-9"))
    world.tell(hall, *(hall.envelope(each) for each in (stolen, strange, ReceiptSeen("MQ1:XX"))), hall.sell("o1"))
    assert world.acked("hall-1") == Ack("life-1", 4)
    assert world.scalar("SELECT count(*) FROM ticket") == 1
    assert {"malformed", "strange-receipt"} <= world.alarms()


# --- an old card


@pytest.mark.fault(17)
def test_an_old_card_is_read_as_evidence_any_number_of_times(world: World) -> None:
    """Two orders were never told; what the card did not sell comes back only when it is final."""
    hall = world.add("hall-1", "hall")
    told, log = hall.sell("o1"), [hall.sell("o2", 2), hall.sell("o3")]
    world.tell(hall, told)
    card = Card("hall-1", tuple(("life-1", each) for each in (told, *log)), (hall.count(),))
    with pytest.raises(SealRefused, match="not sealed"):
        recovering.recover(world.database, card, ORG, "op", world.now_ms, final=False)
    seal(world, "hall-1")
    before = in_doubt(world)
    for tickets in (3, 0):
        again = recovering.recover(world.database, card, ORG, "op", world.now_ms, final=False)
        assert (again.messages, again.new_tickets) == (3, tickets)
    found = recovering.recover(world.database, card, ORG, "op", world.now_ms, final=False)
    assert found.in_doubt == {"seats": (before - 3, before - 3)}
    world.tick()
    found = recovering.recover(world.database, card, ORG, "op", world.now_ms, final=True)
    assert found.in_doubt == {"seats": (before - 3, 0)}
    world.tick()
    assert world.totals()["hall-1", hall.epoch].valid == 4
    assert world.pool() == 25 - 4
    conserved(world)


def test_a_life_the_cloud_never_met_is_read_from_its_card(world: World) -> None:
    """The board was swapped and died before its first hello: what it carried over is there."""
    hall = world.add("hall-1", "hall")
    hall.inc, hall.seq = "life-2", 0
    log = (hall.sell("o1"), hall.sell("o2"))
    seal(world, "hall-1")
    card = Card("hall-1", tuple(("life-2", each) for each in log))
    assert recovering.recover(world.database, card, ORG, "op", world.now_ms, final=False).new_tickets == 2


# --- a restored cloud


@pytest.mark.fault(15)
def test_a_cloud_put_back_from_an_old_backup_has_every_order_again_and_oversells_nothing(
    world: World, tmp_path: Path
) -> None:
    """Backup, sell on and sync, restore, heal: all orders, right totals, and no ticket granted twice on the way."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.sell("before", 2))
    saved = Restored(world, tmp_path)
    hall.need(world, 25)
    world.tick()
    hall.hear(world)
    granted = hall.totals.granted
    world.tell(hall, *(hall.sell(f"after{k}") for k in range(3)))
    sell_out(world, yard, "rest")
    expected = world.totals()
    assert saved.restore() == ["hall-1", "yard-1"]
    assert world.scalar("SELECT count(*) FROM orders") == 1
    yard.need(world, 25)
    world.tick()
    assert world.state("yard-1").grants[0].granted <= yard.totals.granted
    with pytest.raises(RestoreRefused, match="hall-1, yard-1"):
        losses.confirm_restored(world.database, "op", world.now_ms)
    assert not lift_freeze(world.database, "op", world.now_ms)
    heard(world, hall)
    assert losses.still_missing(world.database) == ["yard-1"]
    heard(world, yard)
    assert losses.still_missing(world.database) == []
    assert losses.confirm_restored(world.database, "op", world.now_ms) == []
    world.tick()
    assert world.scalar("SELECT count(*) FROM orders") == 5
    totals = world.totals()
    assert totals["hall-1", hall.epoch].granted >= granted
    for name, each in expected.items():
        assert (totals[name].sold, totals[name].cancelled) == (each.sold, each.cancelled)
    conserved(world)
    assert sum(each.valid for each in totals.values()) <= 25
    assert not world.scalar("SELECT restoring FROM cloud")
    hall.need(world, 1)
    world.tick()
    conserved(world)


def test_what_a_door_tells_again_after_the_confirmation_lets_a_quota_go_on(world: World, tmp_path: Path) -> None:
    """A sealed device's ticket was voided since the backup and its place sold again: until the door repeats it, one is missing."""
    register_device(world.database, "yard-1", "yard", world.now_ms)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1", 1))
    seal(world, "yard-1")
    saved = Restored(world, tmp_path)
    world.tell(hall, hall.envelope(TicketsVoided("o1", ("o1-0",))))
    sell_out(world, hall, "rest")
    assert world.pool() == 0
    saved.restore()
    hall.generation = world.state("hall-1").generation
    hall.hello(world)
    world.run()
    assert losses.confirm_restored(world.database, "op", world.now_ms) == ["seats: 26 are granted or sold, of 25"]
    hall.need(world, 1)
    world.tick()
    assert world.totals()["hall-1", hall.epoch].granted == hall.totals.granted
    world.tell(hall, *hall.log)
    world.tick()
    conserved(world)
    assert world.scalar("SELECT frozen FROM quota") == ""


def test_a_device_is_told_which_generation_it_was_heard_in(world: World, tmp_path: Path) -> None:
    """Its hello may be lost, and nothing else that it says is a promise to ignore older grants."""
    hall = world.add("hall-1", "hall")
    hall.generation = 1
    hall.hello(world)
    world.run()
    saved = Restored(world, tmp_path)
    saved.restore()
    hall.status(world)
    world.tick(20_000)
    state = world.state("hall-1")
    assert (state.generation, state.heard) == (2, 1)
    heard(world, hall)
    assert world.state("hall-1").heard == 2


def test_a_card_that_went_back_with_the_cloud_gets_what_the_lost_cloud_had_sent_it(
    world: World, tmp_path: Path
) -> None:
    """The backup believes that it arrived; that the card lacks it shows in its ack of what came later."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    lost = world.inc
    world.tell(yard, yard.sell("o1", 1))
    world.say("hall-1", "ack", encode(Ack(lost, 1)))
    world.tell(yard, yard.sell("o2", 1))
    saved = Restored(world, tmp_path)
    saved.restore()
    heard(world, hall)
    world.wire.out.clear()
    world.say("hall-1", "ack", encode(Ack(lost, 0)))
    world.tick(60_000)
    again = [each for each in world.downlink("hall-1") if each.inc == lost]
    assert [each.seq for each in again] == [1, 2]


def test_grants_the_device_had_not_received_are_known_from_what_the_broker_retained(
    world: World, tmp_path: Path
) -> None:
    """A silent device is sealed: what it may have been granted since the backup counts as in doubt."""
    register_device(world.database, "yard-1", "yard", world.now_ms)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    saved = Restored(world, tmp_path)
    before = yard.totals.granted
    yard.need(world, 2)
    world.tick()
    assert world.state("yard-1").grants[0].granted > before
    more = world.state("yard-1").grants[0].granted
    saved.restore()
    heard(world, hall)
    assert losses.price_of_seal(world.database, "yard-1", world.now_ms).unheard
    seal(world, "yard-1")
    assert losses.confirm_restored(world.database, "op", world.now_ms) == []
    assert in_doubt(world) == more
    conserved(world)


def test_what_a_device_sold_that_was_sealed_unheard_and_the_backup_did_not_grant_is_listed(
    world: World, tmp_path: Path
) -> None:
    """Nobody but the device knew what it was granted after the backup: the price said so, and its places were granted again."""
    register_device(world.database, "yard-1", "yard", world.now_ms)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    saved = Restored(world, tmp_path)
    known = yard.totals.granted
    sell_out(world, yard, "rest")
    beyond = yard.totals.granted - known
    assert beyond
    world.wire.retained.clear()
    saved.restore()
    heard(world, hall)
    assert losses.price_of_seal(world.database, "yard-1", world.now_ms).unheard
    seal(world, "yard-1")
    assert losses.confirm_restored(world.database, "op", world.now_ms) == []
    assert contradictions(world) == []
    world.tell(yard, *yard.log)
    world.tick()
    assert [len(json.loads(each)) for each in contradictions(world)] == [beyond]
    world.tick()
    assert len(contradictions(world)) == 1
    conserved(world)


def test_devices_and_seals_of_after_the_backup_are_known_from_the_log(world: World, tmp_path: Path) -> None:
    """One was provisioned and sold, one was sealed, with all that was known of its stock."""
    hall = world.add("hall-1", "hall")
    saved = Restored(world, tmp_path)
    register_device(world.database, "yard-1", "yard", world.now_ms, saved.log)
    yard = FakeDevice("yard-1", "yard")
    world.tick()
    yard.hello(world)
    world.run()
    yard.hear(world)
    world.tell(yard, yard.sell("o1"))
    world.tell(hall, hall.sell("o2"))
    losses.seal_device(world.database, "hall-1", "op", "lost", world.now_ms, log=saved.log)
    sold = world.totals()["hall-1", hall.epoch]
    assert saved.restore() == ["yard-1"]
    yard.status(world)
    world.run()
    heard(world, yard)
    assert losses.confirm_restored(world.database, "op", world.now_ms) == []
    world.tick()
    assert world.totals()["hall-1", hall.epoch] == sold
    assert world.rows("SELECT id FROM orders") == [("o1",)]
    assert world.totals()["yard-1", yard.epoch].sold == 1
    assert world.scalar("SELECT status FROM device WHERE name = 'hall-1'") == "sealed"
    conserved(world)


@pytest.mark.parametrize("stolen", [False, True])
def test_a_seal_of_after_the_backup_counts_and_revokes_as_it_did(world: World, tmp_path: Path, stolen: bool) -> None:
    """Tickets the backup knew and those that turn up late make one sum; a stolen card's keys stay revoked."""
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o0"))
    saved = Restored(world, tmp_path)
    told = hall.sell("o1", 2)
    world.tell(hall, told)
    losses.seal_device(world.database, "hall-1", "op", "lost", world.now_ms, stolen=stolen, log=saved.log)
    saved.restore()
    world.tell(hall, told, hall.sell("o2", 3))
    late = 0 if stolen else 3
    assert world.totals()["hall-1", hall.epoch].sold == 3 + late
    assert in_doubt(world) == hall.totals.granted - 3 - late
    assert {bool(row[0]) for row in world.rows("SELECT revoked FROM device_key")} == {stolen}


def test_a_cloud_that_lost_everything_is_rebuilt_from_the_log_and_its_devices(world: World, tmp_path: Path) -> None:
    """No backup at all: list of devices, catalogue file, and what the devices kept."""
    log = FleetLog(tmp_path / "fleet.jsonl")
    for name in ("hall", "yard"):
        register_device(world.database, f"{name}-1", name, world.now_ms, log)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.sell("o1", 3))
    hall.inc, hall.seq, hall.epoch, hall.totals = "life-2", 0, 0, Totals()
    first, hall.log = list(hall.log), []
    hall.hello(world)
    world.run()
    hall.hear(world)
    world.tell(hall, hall.sell("o2"))
    world.tell(yard, yard.sell("o3"))
    sold = sum(each.valid for each in world.totals().values())
    world.database.close()
    lost = World(_fresh(world, tmp_path))
    lost.wire.retained, lost.now_ms = world.wire.retained, world.now_ms
    assert losses.begin_restored(lost.database, log, "eeee", lost.now_ms) == ["hall-1", "yard-1"]
    import_into(lost)
    lost.connect()
    for device in (hall, yard):
        device.hello(lost)
        lost.run()
        heard(lost, device)
    _tell_earlier(lost, hall, first)
    assert losses.confirm_restored(lost.database, "op", lost.now_ms) == []
    lost.tick()
    assert lost.scalar("SELECT count(*) FROM orders") == 3
    assert sum(each.valid for each in lost.totals().values()) in {sold, sold - 3}
    conserved(lost)
    lost.database.close()


def _fresh(world: World, tmp_path: Path) -> Database:
    if world.database.dialect == "sqlite":
        return open_cloud(tmp_path / "fresh.db")
    with world.database.write() as db:
        db.exec_driver_sql("DROP SCHEMA public CASCADE")
        db.exec_driver_sql("CREATE SCHEMA public")
    world.database.close()
    return open_cloud(world.database.url.render_as_string(hide_password=False))


def _tell_earlier(world: World, device: FakeDevice, log: list[bytes]) -> None:
    """A hello that names the earlier life, then that life's messages again."""
    stock = (device.count(),)
    hello = Hello(
        device.name,
        device.venue,
        device.inc,
        device.seq,
        device.key.kid,
        device.key.public,
        stock,
        Ack("", 0),
        world.now_ms,
        device.generation,
        ("life-1",),
    )
    world.say(device.name, "hello", encode(hello))
    world.run()
    world.tell(device, *log)


def test_the_log_outside_the_database_survives_a_torn_line(tmp_path: Path) -> None:
    """A crash while it was written costs that entry, not the next."""
    log = FleetLog(tmp_path / "fleet.jsonl")
    assert log.entries() == ()
    log.append(Entry("provisioned", 1, device="a-1", venue="a"))
    with log.path.open("ab") as file:
        file.write(b'{"kind":"sea')
    log.append(Entry("restored", 2, generation=4))
    assert [each.kind for each in log.entries()] == ["provisioned", "restored"]
    assert log.path.stat().st_mode & 0o077 == 0
