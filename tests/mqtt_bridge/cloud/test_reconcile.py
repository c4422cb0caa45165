"""Whatever the network does to messages, the rows end up the same; whatever a device says, the stream goes on."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from mqtt_bridge.cloud.records import Order, Record
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.store import lift_freeze, open_cloud, register_device
from mqtt_bridge.protocol.codec import decode, digest, encode
from mqtt_bridge.protocol.messages import (
    Ack,
    AllocationReturned,
    CancelRefused,
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    Envelope,
    KeyPublished,
    OrderCancelled,
    OrderConfirmed,
    PaymentTaken,
    Private,
    ReturnAllocation,
    StockCount,
    TicketFact,
    TicketsVoided,
)
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.transport import Link, Message
from tests.mqtt_bridge.cloud.world import FakeDevice, Key, World, import_into


def paid(order: str, payment: str = "p1") -> PaymentTaken:
    return PaymentTaken(order, payment, "cash", 1250, "EUR", "A7", True, (f"{order}-0",))


def admitted(ticket: str, check_in: str = "c1") -> CheckedIn:
    return CheckedIn(check_in, "admitted", None, ticket, "s", "A7", 1)


def test_twenty_five_seats_become_eleven_for_each_venue_and_three_in_the_pool(world: World) -> None:
    register_device(world.database, "hall-1", "hall", 0)
    yard, hall = world.add("yard-1", "yard"), world.add("hall-1", "hall")
    assert (hall.totals.granted, yard.totals.granted, world.pool()) == (11, 11, 3)
    assert world.state("hall-1").door
    assert world.state("yard-1").door
    assert world.state("hall-1").grants[0].elsewhere == 14


@pytest.mark.fault(6)
def test_sales_arrive_repeated_and_reordered_and_count_once(world: World) -> None:
    hall = world.add("hall-1", "hall")
    envelopes = [hall.sell(f"o{k}", 1 + k % 3) for k in range(6)]
    shuffled = envelopes * 3
    random.Random(7).shuffle(shuffled)
    world.tell(hall, *shuffled)
    assert world.totals()["hall-1", hall.epoch].sold == 12
    assert world.scalar("SELECT count(*) FROM orders") == 6
    assert world.scalar("SELECT count(*) FROM ticket") == 12
    assert world.acked("hall-1") == Ack("life-1", 6)
    assert world.alarms() == set()


@pytest.mark.fault(7)
def test_every_order_of_arrival_gives_the_same_rows(tmp_path: Path) -> None:
    """Three messages in all six orders: same totals, same orders, everything acknowledged."""
    results = set()
    for number, order in enumerate(itertools.permutations(range(3))):
        database = open_cloud(tmp_path / f"{number}.db")
        world = World(database)
        import_into(world)
        hall = world.add("hall-1", "hall")
        envelopes = [hall.sell("a", 2), hall.sell("b"), hall.cancel("a", 2)]
        for index in order:
            world.tell(hall, envelopes[index])
        facts = [
            world.rows(f"SELECT id, {column} FROM {table} ORDER BY id")
            for table, column in (("orders", "status"), ("ticket", "state"))
        ]
        results.add((str(facts), world.totals()["hall-1", hall.epoch], world.acked("hall-1")))
        database.close()
    assert len(results) == 1


@pytest.mark.fault(8)
def test_a_gap_is_not_acknowledged_until_it_is_filled(world: World) -> None:
    hall = world.add("hall-1", "hall")
    first, second, third = hall.sell("a"), hall.sell("b"), hall.sell("c")
    world.tell(hall, first, third)
    assert world.acked("hall-1") == Ack("life-1", 1)
    assert world.scalar("SELECT count(*) FROM orders") == 1
    world.tell(hall, second)
    assert world.acked("hall-1") == Ack("life-1", 3)


def test_the_cloud_may_restart_between_any_two_messages(world: World) -> None:
    hall = world.add("hall-1", "hall")
    for k in range(4):
        envelope = hall.sell(f"o{k}")
        world.reconciler = world.another()
        world.connect()
        world.tell(hall, envelope, envelope)
    assert world.totals()["hall-1", hall.epoch].sold == 4
    assert world.acked("hall-1") == Ack("life-1", 4)


@pytest.mark.fault(9)
def test_a_new_broker_is_told_everything(world: World) -> None:
    world.add("hall-1", "hall")
    before = dict(world.wire.retained)
    world.wire.retained.clear()
    world.wire.incoming.append(Link(False, "gone"))
    world.connect()
    assert world.wire.retained.keys() == before.keys()
    assert world.state("hall-1").revision > 1


def test_an_order_is_told_to_the_door_that_hosts_it_with_its_personal_part(world: World) -> None:
    world.add("hall-1", "hall")
    yard = world.add("yard-1", "yard")
    private = Private("salt", "Zoë", "z@example.org")
    world.tell(yard, yard.sell("o1", private=private))
    (arrived,) = world.downlink("hall-1")
    assert (arrived.origin, arrived.sender) == ("yard-1", "cloud")
    assert isinstance(arrived.body, OrderConfirmed)
    assert world.sent("hall-1")[0].private == private
    assert world.downlink("yard-1") == []


def test_a_downlink_is_repeated_until_its_device_acknowledged_it(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    hall.hello(world)
    world.run()
    assert len(world.sent("hall-1")) == 2
    world.say("hall-1", "ack", encode(Ack(world.inc, 1)))
    world.run()
    hall.inbox = 1
    hall.hello(world)
    world.run()
    assert len(world.sent("hall-1")) == 2


def test_a_device_that_lost_its_database_hears_everything_again(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    world.say("hall-1", "ack", encode(Ack(world.inc, 1)))
    world.run()
    hall.inc, hall.inbox, hall.seq, hall.epoch = "life-2", 0, 0, 0
    hall.hello(world)
    world.run()
    assert [type(each).__name__ for each in world.bodies("hall-1")] == ["OrderConfirmed", "VenueRetold"]
    assert len(world.sent("hall-1")) == 3


def test_the_journey_of_a_cancel_between_two_devices(world: World) -> None:
    """Sold at the yard, hosted by the hall: request to the door, its word to the issuer, the result to the door."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    fact = TicketFact("o1-0", "o10", "t", "s", "q", yard.epoch, 1250, "EUR")
    world.tell(yard, yard.envelope(CancelRequested("o1", (fact,))))
    assert world.scalar("SELECT status FROM orders") == "cancel_pending"
    world.tell(hall, hall.envelope(TicketsVoided("o1", ("o1-0",))))
    assert world.bodies("yard-1") == [TicketsVoided("o1", ("o1-0",))]
    assert world.totals()["yard-1", yard.epoch].cancelled == 0
    world.tell(yard, yard.cancel("o1"))
    assert world.scalar("SELECT status FROM orders") == "cancelled"
    assert world.totals()["yard-1", yard.epoch].cancelled == 1
    assert [type(each) for each in world.bodies("hall-1")] == [OrderConfirmed, CancelRequested, OrderCancelled]


def test_a_refused_cancel_leaves_the_order_confirmed(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    world.tell(yard, yard.envelope(CancelRequested("o1", ())))
    world.tell(hall, hall.envelope(CancelRefused("o1", ("o1-0",))))
    assert world.scalar("SELECT status FROM orders") == "confirmed"
    assert world.bodies("yard-1") == [CancelRefused("o1", ("o1-0",))]


def test_payment_and_admission_that_arrive_before_the_sale_wait_for_it(world: World) -> None:
    """The door was online, the issuer was not: what the door did reaches the issuer after its sale arrived."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    sale = yard.sell("o1")
    world.tell(hall, hall.envelope(paid("o1")), hall.envelope(admitted("o1-0")))
    assert world.bodies("yard-1") == []
    world.tell(yard, sale)
    assert world.bodies("yard-1") == [paid("o1"), admitted("o1-0")]
    assert world.scalar("SELECT payment FROM orders") == "paid"
    assert world.scalar("SELECT check_in FROM ticket") == "c1"
    assert [type(each) for each in world.bodies("hall-1")] == [OrderConfirmed]


def test_a_sale_for_a_venue_without_a_door_waits_for_its_first_device(world: World) -> None:
    yard = world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    world.add("hall-1", "hall")
    world.tick()
    assert [type(each) for each in world.bodies("hall-1")] == [OrderConfirmed]


def test_an_undone_check_in_frees_the_ticket_and_reaches_the_issuer(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    undone = CheckInUndone("c1", "o1-0", "A7")
    world.tell(hall, hall.envelope(admitted("o1-0")), hall.envelope(undone), hall.envelope(admitted("o1-0", "c2")))
    assert world.scalar("SELECT check_in FROM ticket") == "c2"
    assert world.bodies("yard-1") == [admitted("o1-0"), undone, admitted("o1-0", "c2")]
    assert world.alarms() == set()


def test_two_admissions_of_one_ticket_are_both_kept_and_listed(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1"), hall.envelope(admitted("o1-0")), hall.envelope(admitted("o1-0", "c2")))
    assert world.scalar("SELECT count(*) FROM check_in") == 2
    assert world.rows("SELECT kind, tickets FROM contradiction") == [("admitted-twice", '["o1-0"]')]
    assert world.alarms() == set()


def test_an_unregistered_device_changes_nothing_and_is_listed(world: World) -> None:
    stranger = FakeDevice("ghost", "hall")
    stranger.hello(world)
    stranger.epoch = 1
    world.tell(stranger, stranger.sell("o1"))
    assert world.alarms() == {"unregistered"}
    assert world.scalar("SELECT count(*) FROM orders") == 0
    assert world.acked("ghost") is None


def test_names_made_up_by_strangers_cannot_fill_the_alarm_list(world: World) -> None:
    for k in range(230):
        FakeDevice(f"ghost-{k}", "hall").hello(world)
    world.run()
    assert world.scalar("SELECT count(*) FROM alarm") == 201
    assert world.scalar("SELECT sum(count) FROM alarm") == 230


def test_a_strangers_key_for_a_known_device_is_refused(world: World) -> None:
    hall = world.add("hall-1", "hall")
    before = world.state("hall-1")
    imposter = Key()
    hall.hello(world, key=imposter)
    world.tell(hall, hall.envelope(paid("o1"), key=imposter))
    assert world.alarms() == {"strange-key"}
    assert world.scalar("SELECT count(*) FROM payment") == 0
    assert world.acked("hall-1") == Ack("life-1", 0)
    assert world.state("hall-1").inc == before.inc


def test_a_key_is_replaced_only_under_the_old_one(world: World) -> None:
    hall = world.add("hall-1", "hall")
    new = Key()
    world.tell(hall, hall.envelope(KeyPublished(new.kid, new.public, hall.key.kid)))
    hall.key = new
    world.tell(hall, hall.sell("o1"))
    hall.hello(world)
    world.tick()
    assert world.alarms() == set()
    assert world.acked("hall-1") == Ack("life-1", 2)
    directory = world.wire.retained["marquee/1/acme/all/keys"]
    assert directory.count(b'"hall-1"') == 2


def test_a_message_that_cannot_be_digested_does_not_block_the_next(world: World) -> None:
    hall = world.add("hall-1", "hall")
    huge = PaymentTaken("o1", "p1", "cash", 2**70, "EUR", "A7", True, ())
    world.tell(hall, hall.envelope(huge), hall.sell("o1"), b"", b"not json", b'{"content":"{}","kid":"x","sig":"00"}')
    assert world.acked("hall-1") == Ack("life-1", 2)
    assert world.scalar("SELECT count(*) FROM orders") == 1
    assert {"indigestible", "malformed"} <= world.alarms()


def test_a_row_that_another_process_adds_at_that_instant_makes_no_message_indigestible(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = world.add("hall-1", "hall")
    refusing = iter([True, False])
    insert = SqlRows.insert

    def late(rows: SqlRows, records: Sequence[Record]) -> None:
        if isinstance(records[0], Order) and next(refusing, False):
            raise IntegrityError("INSERT", {}, ValueError("UNIQUE constraint failed"))
        insert(rows, records)

    monkeypatch.setattr(SqlRows, "insert", late)
    world.tell(hall, hall.sell("o1"))
    assert world.acked("hall-1") == Ack("life-1", 1)
    assert world.scalar("SELECT count(*) FROM orders") == 1
    assert world.alarms() == set()


def test_evidence_never_holds_the_personal_part(world: World) -> None:
    hall = world.add("hall-1", "hall")
    hall.envelope(paid("o1"), private=Private("salt", "Zoë", "z@example.org"), key=Key())
    world.tell(hall, hall.log[-1])
    evidence = world.scalar("SELECT evidence FROM alarm WHERE kind = 'strange-key'")
    assert isinstance(evidence, bytes)
    assert b"example.org" not in evidence
    assert b"PaymentTaken" in evidence


def test_evidence_of_what_is_no_envelope_holds_no_personal_part_either(world: World) -> None:
    """A torn batch, and a message of another version."""
    hall = world.add("hall-1", "hall")
    told = hall.envelope(paid("o1"), private=Private("salt", "Zoë", "z@example.org"))
    world.say("hall-1", "batch", b"[" + told[:-2])
    world.run()
    world.say("hall-1", "msg", told.replace(b'"kid"', b'"key"'))
    world.run()
    assert world.alarms() == {"malformed"}
    assert world.scalar("SELECT count(*) FROM alarm WHERE instr(evidence, 'example.org')") == 0


def test_stock_of_an_unknown_allocation_freezes_its_quota(world: World) -> None:
    """The device was granted something that these rows do not know: they may be an old copy, so nothing more is granted."""
    hall = world.add("hall-1", "hall")
    stock = StockCount("q", hall.epoch - 1, Totals(granted=5, sold=5))
    world.tell(hall, hall.envelope(AllocationReturned((stock,))))
    assert {"unknown-allocation", "quota-frozen"} <= world.alarms()
    pool = world.pool()
    hall.need(world, 3)
    world.tick()
    assert world.pool() == pool


def test_selling_beyond_the_grant_is_counted_and_freezes_the_quota(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 30))
    assert world.totals()["hall-1", hall.epoch].sold == 30
    assert "quota-frozen" in world.alarms()
    assert world.scalar("SELECT frozen <> '' FROM quota") == 1


def test_a_lifted_freeze_stays_lifted_until_something_new_contradicts(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 30))
    assert lift_freeze(world.database, "operator", world.now_ms, "q")
    assert not lift_freeze(world.database, "operator", world.now_ms, "q")
    hall.status(world)
    world.run()
    assert world.scalar("SELECT frozen FROM quota") == ""
    world.tell(hall, hall.sell("o2"))
    assert world.scalar("SELECT frozen FROM quota") != ""
    assert world.scalar("SELECT detail FROM audit WHERE action = 'freeze lifted'") != ""


def test_a_return_that_was_never_granted_does_not_enlarge_the_pool(world: World) -> None:
    hall = world.add("hall-1", "hall")
    pool = world.pool()
    stock = StockCount("q", hall.epoch, Totals(granted=hall.totals.granted, returned=100))
    world.tell(hall, hall.envelope(AllocationReturned((stock,))))
    assert world.pool() == pool + hall.totals.granted
    assert "quota-frozen" in world.alarms()


def test_a_new_life_gets_a_new_epoch_and_its_old_stock_stays_in_doubt(world: World) -> None:
    register_device(world.database, "yard-1", "yard", 0)
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 4))
    old_epoch, pool = hall.epoch, world.pool()
    hall.inc, hall.seq, hall.epoch = "life-2", 0, 0
    hall.hello(world)
    world.run()
    state = hall.hear(world)
    assert hall.epoch == old_epoch + 1
    assert state.inc == "life-2"
    assert 0 < hall.totals.granted <= pool
    assert world.totals()["hall-1", old_epoch] == Totals(11, 0, 0, 4, 0)
    assert world.pool() == pool - hall.totals.granted


def test_messages_of_an_earlier_life_still_count_for_its_epoch(world: World) -> None:
    hall = world.add("hall-1", "hall")
    late, old_epoch = hall.sell("late"), hall.epoch
    hall.inc, hall.seq, hall.epoch, hall.totals = "life-2", 0, 0, Totals()
    hall.hello(world)
    world.tell(hall, late)
    assert world.totals()["hall-1", old_epoch].sold == 1
    assert world.alarms() == set()


@pytest.mark.fault(18)
def test_a_device_that_forgot_what_it_sent_is_told_how_much_and_says_so_in_its_next_life(world: World) -> None:
    """A hello that was overtaken looks the same, so it stops nobody."""
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1"), hall.sell("o2"))
    hall.hello(world, last_seq=1)
    world.run()
    assert (world.state("hall-1").stop, world.state("hall-1").upto) == (False, 2)
    assert world.alarms() == set()
    hall.inc, hall.seq, hall.epoch = "life-2", 0, 0
    hall.hello(world, began="went_back")
    world.run()
    assert world.alarms() == {"went-back"}
    assert world.state("hall-1").inc == "life-2"


@pytest.mark.fault(19)
@pytest.mark.parametrize("together", [False, True])
def test_two_histories_under_one_number_stop_the_device_and_keep_the_evidence(world: World, together: bool) -> None:
    hall = world.add("hall-1", "hall")
    first = hall.sell("o1")
    hall.seq = 0
    second = hall.sell("o2")
    for batch in [(first, second)] if together else [(first,), (second,)]:
        world.tell(hall, *batch)
    assert world.alarms() == {"second-history", "went-back"}
    assert world.rows("SELECT kind, order_id FROM contradiction") == [("fork", "o2")]
    assert world.state("hall-1").stop
    assert b"o2" in world.scalar("SELECT evidence FROM alarm WHERE kind = 'second-history'")  # type: ignore[operator]


@pytest.mark.parametrize("together", [False, True])
def test_a_second_history_is_not_acknowledged_nor_what_follows_it(world: World, together: bool) -> None:
    hall = world.add("hall-1", "hall")
    first = hall.sell("o1")
    hall.seq = 0
    second, third = hall.sell("o2"), hall.sell("o3")
    if not together:
        world.tell(hall, first)
    world.wire.out.clear()
    for batch in [(first, second, third)] if together else [(second,), (third,)]:
        world.tell(hall, *batch)
    assert world.acked("hall-1") is None
    assert world.state("hall-1").stop
    hall.inc, hall.seq = "life-2", 0
    hall.hello(world)
    world.run()
    world.tell(hall, hall.sell("o2"))
    assert world.rows("SELECT id FROM orders WHERE id = 'o2'") == [("o2",)]
    assert world.acked("hall-1") == Ack("life-2", 1)


@pytest.mark.parametrize("batches", [((1,), (2,), (4,)), ((1,), (2, 4)), ((1, 4), (2,))])
def test_a_message_that_follows_another_one_than_was_applied_is_not_acknowledged(
    world: World, batches: tuple[tuple[int, ...], ...]
) -> None:
    """A card that was put back wrote "o2" again as "o3", which is not here yet; an ack of "o4" would count for it."""
    hall = world.add("hall-1", "hall")
    first, second = hall.sell("o1"), hall.sell("o2")
    hall.put_back(1)
    third, fourth = hall.sell("o3"), hall.sell("o4")
    told = {1: first, 2: second, 4: fourth}
    for batch in batches:
        world.wire.out.clear()
        world.tell(hall, *(told[each] for each in batch))
    assert world.acked("hall-1") is None
    assert world.state("hall-1").stop
    assert "second-history" in world.alarms()
    world.tell(hall, third, fourth)
    hall.hello(world)
    world.run()
    assert world.acked("hall-1") is None
    assert world.state("hall-1").stop
    assert world.rows("SELECT kind, order_id FROM contradiction") == [("fork", "o3")]


@pytest.mark.fault(18)
@pytest.mark.parametrize("batches", [((2,), (4,)), ((2, 4),), ((4,), (2,))])
def test_a_life_that_is_over_is_told_what_is_here_instead_of_what_does_not_follow_it(
    world: World, batches: tuple[tuple[int, ...], ...]
) -> None:
    """Nobody can stop it: "o4" is not applied, and whoever wrote another "o2" sees in the answer that their card went back."""
    hall = world.add("hall-1", "hall")
    first, second = hall.sell("o1"), hall.sell("o2")
    world.tell(hall, first)
    hall.inc = "life-2"
    hall.hello(world)
    hall.inc = "life-1"
    hall.put_back(1)
    third, fourth = hall.sell("o3"), hall.sell("o4")
    told = {2: second, 4: fourth}
    for batch in batches:
        world.wire.out.clear()
        world.tell(hall, *(told[each] for each in batch))
    world.tell(hall, fourth)
    answer = world.last_ack("hall-1")
    assert answer is not None
    assert (answer.inc, answer.upto, answer.digest) == ("life-1", 2, digest(decode(second, Envelope).content))
    assert answer.digest != digest(decode(third, Envelope).content)
    assert "second-history" in world.alarms()
    assert world.rows("SELECT kind, order_id FROM contradiction") == [("fork", "o4")]
    assert world.rows("SELECT id FROM orders ORDER BY id") == [("o1",), ("o2",)]
    assert not world.state("hall-1").stop
    hall.inc, hall.seq, hall.log = "life-3", 0, []
    hall.hello(world, began="went_back")
    world.run()
    world.tell(hall, hall.sell("o3"), hall.sell("o4"))
    assert world.rows("SELECT id FROM orders ORDER BY id") == [("o1",), ("o2",), ("o3",), ("o4",)]


def test_two_messages_under_a_number_whose_turn_has_not_come_are_two_histories(world: World) -> None:
    """One is kept; the other may be all that is ever heard of its sale."""
    hall = world.add("hall-1", "hall")
    first, second = hall.sell("o1"), hall.sell("o2")
    hall.put_back(1)
    third = hall.sell("o3")
    world.wire.out.clear()
    world.tell(hall, second)
    world.tell(hall, second)
    assert world.alarms() == set()
    world.tell(hall, third)
    assert world.state("hall-1").stop
    assert {order for (order,) in world.rows("SELECT order_id FROM contradiction")} == {"o2", "o3"}
    world.wire.out.clear()
    world.tell(hall, first)
    assert world.acked("hall-1") is None


def test_a_status_older_than_the_last_one_changes_nothing(world: World) -> None:
    hall = world.add("hall-1", "hall")
    hall.held = 3
    hall.status(world, unsynced=5)
    world.run()
    hall.held = 1
    hall.status(world, unsynced=9, sent_at_ms=world.now_ms - 1)
    world.run()
    assert world.rows("SELECT unsynced, hardware FROM device") == [(5, '{"printer": "READY"}')]
    assert world.scalar("SELECT held FROM allocation") == 3


def test_a_status_from_a_clock_that_was_set_back_counts(world: World) -> None:
    """Nothing about stock depends on a device's clock: else its open holds would stay as they were, and nothing be recalled."""
    hall = world.add("hall-1", "hall")
    hall.held = 3
    hall.status(world, unsynced=5)
    world.run()
    hall.held = 1
    hall.status(world, unsynced=2, sent_at_ms=world.now_ms - 3_600_000)
    world.run()
    assert world.rows("SELECT unsynced FROM device") == [(2,)]
    assert world.scalar("SELECT held FROM allocation") == 1


def test_a_need_is_met_from_the_pool_at_once(world: World) -> None:
    register_device(world.database, "yard-1", "yard", 0)
    hall = world.add("hall-1", "hall")
    hall.need(world, 2)
    world.run()
    assert hall.hear(world).grants[0].granted == 13
    hall_before = hall.totals
    hall.totals = Totals(11)
    hall.need(world, 2)
    world.run()
    assert world.state("hall-1").grants[0].granted == hall_before.granted


def test_a_need_beyond_the_pool_recalls_from_the_other_and_is_granted_when_it_comes_back(world: World) -> None:
    register_device(world.database, "yard-1", "yard", 0)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.sell("o1", 11))
    hall.hear(world)
    world.tell(hall, hall.sell("o2", hall.totals.unsold))
    hall.hear(world)
    assert world.pool() == 0
    hall.need(world, 2)
    world.run()
    (recall,) = world.bodies("yard-1")[-1:]
    assert isinstance(recall, ReturnAllocation)
    # All are sold here and none there: half of an even split of what can be reached stays where nobody buys.
    assert recall == ReturnAllocation("q", yard.epoch, 8)
    yard.totals = Totals(yard.totals.granted, returned=recall.returned)
    world.tell(yard, yard.envelope(AllocationReturned((yard.count(),))))
    assert hall.hear(world).grants[0].granted >= 14 + 2
    assert world.pool() >= 0


def test_a_recall_is_asked_for_again_only_after_its_device_has_heard_it(world: World) -> None:
    """What was not acknowledged is repeated by the outbox: another letter would say the same once more."""
    import_into(world, limit=10)
    hall = world.add("hall-1", "hall")
    import_into(world, limit=2)

    def asked_after(ms: int) -> int:
        for _ in range(ms // 1000):
            hall.status(world)
            world.tick()
        return sum(isinstance(each, ReturnAllocation) for each in world.bodies("hall-1"))

    assert asked_after(3_000) == 1
    assert asked_after(20_000) == 1
    world.say("hall-1", "ack", encode(Ack(world.inc, 1)))
    assert asked_after(2_000) == 2
    assert asked_after(20_000) == 2


def test_a_need_nobody_can_meet_gets_an_answer_too(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", hall.totals.granted))
    hall.hear(world)
    world.tell(hall, hall.sell("o2", hall.totals.unsold))
    revision = world.state("hall-1").revision
    hall.need(world, 4)
    world.run()
    assert world.state("hall-1").revision > revision
    assert world.state("hall-1").grants[0].elsewhere == 0


@pytest.mark.fault(15)
def test_rows_older_than_the_states_on_the_broker_freeze_all_grants(world: World) -> None:
    """The database was restored from yesterday; the broker still holds today's grants."""
    hall = world.add("hall-1", "hall")
    with world.database.write() as db:
        db.exec_driver_sql("UPDATE allocation SET granted = 1")
    topic = "marquee/1/acme/d/hall-1/dn/state"
    world.reconciler = world.another()
    world.wire.incoming.extend([Link(True), Message(topic, world.wire.retained[topic], True)])
    world.run()
    assert "granted-ahead" in world.alarms()
    hall.need(world, 5)
    world.tick()
    assert world.scalar("SELECT granted FROM allocation") == 1


@pytest.mark.parametrize("processes", [2])
def test_reconcilers_side_by_side_count_everything_once(world: World, processes: int) -> None:
    """Every process reads every message; rows decide who was first."""
    hall = world.add("hall-1", "hall")
    others = [world.another() for _ in range(processes)]
    for k in range(5):
        envelope = hall.sell(f"o{k}")
        for reconciler in others:
            world.reconciler = reconciler
            reconciler._listening = True
            world.tell(hall, envelope)
    assert world.totals()["hall-1", hall.epoch].sold == 5
    assert world.alarms() == set()
