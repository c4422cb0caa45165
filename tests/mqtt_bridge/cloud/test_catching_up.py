"""Requests that a lost cloud had answered: each is met once, whether or not the answer had reached its device.

On SQLite and on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.messages import (
    Ack,
    AllocationReturned,
    Content,
    OrderConfirmed,
    OrderRequested,
    Private,
    TicketFact,
)
from mqtt_bridge.protocol.stock import Totals
from tests.mqtt_bridge.cloud.restored import Restored, heard
from tests.mqtt_bridge.cloud.town import two_dates
from tests.mqtt_bridge.cloud.world import START_MS, FakeDevice, World
from tests.support import postgresql

ANNA = Private("salt", "Anna", "anna@example.org")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.running() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    where: str | Path = tmp_path / "cloud.db"
    if request.param == "postgresql":
        where = request.getfixturevalue("server")
        postgresql.empty(where)
    opened = open_cloud(where)
    made = World(opened)
    apply_catalogue(opened, two_dates(), {}, START_MS)
    register_device(made.database, "yard-1", "yard", START_MS)
    yield made
    opened.close()


@pytest.fixture
def hall(world: World) -> FakeDevice:
    return world.add("hall-1", "hall")


@pytest.fixture
def yard(world: World, hall: FakeDevice) -> FakeDevice:
    """Eleven of 25 seats each, three in the pool."""
    return world.add("yard-1", "yard")


def request(device: FakeDevice, order: str, quantity: int, private: Private | None = None) -> bytes:
    tickets = tuple(TicketFact(f"{order}-{k}", f"{order}{k}", "t", "s", "q", 0, 1250, "EUR") for k in range(quantity))
    return device.envelope(OrderRequested(order, order, "promised", tickets, START_MS), private=private)


def take_answer(world: World, device: FakeDevice, order: str) -> bytes:
    """Apply the cloud's yes as the device does, and return its own word of it."""
    said = next(each for each in answers(world, device) if each.order == order)
    device.totals = msgspec.structs.replace(device.totals, confirmed=said.stock[0].totals.confirmed)
    return device.envelope(msgspec.structs.replace(said, stock=(device.count(),)))


def answers(world: World, device: FakeDevice, inc: str = "") -> list[OrderConfirmed]:
    """What the cloud said yes to, of one of its lives or of all."""
    sent = {(each.inc, each.seq): each for each in (decode(one.content, Content) for one in world.sent(device.name))}
    told = [each for each in sent.values() if each.origin == "cloud" and each.inc.startswith(inc)]
    return [each.body for each in told if isinstance(each.body, OrderConfirmed)]


def confirmed(world: World, device: FakeDevice) -> int:
    return world.totals()[device.name, device.epoch].confirmed


def state(world: World, order: str) -> object:
    return world.scalar(f"SELECT state FROM request WHERE order_id = '{order}'")


def hello_again(world: World, device: FakeDevice) -> None:
    """Name the generation of the restored cloud, and send nothing yet."""
    device.generation = world.state(device.name).generation
    device.hello(world)
    world.run()


def go_on(world: World) -> None:
    assert losses.confirm_restored(world.database, "op", world.now_ms) == []
    world.tick()


def conserved(world: World) -> None:
    assert world.pool() >= 0
    out = sum(each.granted - each.returned + each.confirmed for each in world.totals().values())
    assert world.pool() + out == 25


def test_an_answer_that_never_arrived_is_given_again_and_counted_once(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """Until its device was heard it counts, because the broker retained that it was given."""
    saved = Restored(world, tmp_path)
    world.tell(yard, request(yard, "o1", 2))
    world.tick()
    assert confirmed(world, yard) == 2
    saved.restore()
    assert confirmed(world, yard) == 2
    heard(world, yard)
    assert confirmed(world, yard) == 0
    heard(world, hall)
    saved.again()
    assert confirmed(world, yard) == 0
    go_on(world)
    assert (state(world, "o1"), confirmed(world, yard)) == ("confirmed", 2)
    world.tell(yard, take_answer(world, yard, "o1"))
    world.tick()
    assert (confirmed(world, yard), world.scalar("SELECT count(*) FROM ticket")) == (2, 2)
    assert world.alarms() == set()
    conserved(world)


def test_what_was_answered_before_waits_until_its_device_has_told_of_it(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """Its request comes first, its sale after; in between it looks like one that nobody answered."""
    saved = Restored(world, tmp_path)
    asked = request(yard, "o1", 2)
    world.tell(yard, asked)
    world.tick()
    told = take_answer(world, yard, "o1")
    world.tell(yard, told)
    saved.restore()
    hello_again(world, hall)
    hello_again(world, yard)
    world.tell(yard, asked)
    go_on(world)
    assert (state(world, "o1"), confirmed(world, yard)) == ("waiting", 2)
    world.tell(yard, told)
    world.tick()
    assert (state(world, "o1"), confirmed(world, yard)) == ("confirmed", 2)
    assert world.scalar("SELECT count(*) FROM ticket") == 2
    conserved(world)


def test_what_a_card_forgot_that_went_back_is_not_waited_for(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """A hello of before that arrives late says nothing about it."""
    saved = Restored(world, tmp_path)
    asked = request(yard, "o1", 2)
    yard.sell("o2")
    saved.restore()
    hello_again(world, hall)
    hello_again(world, yard)
    world.tell(yard, asked)
    go_on(world)
    assert state(world, "o1") == "waiting"
    yard.generation = 1
    yard.hello(world, last_seq=1)
    world.run()
    world.tick()
    assert state(world, "o1") == "waiting"
    yard.generation = 2
    yard.hello(world, last_seq=1)
    world.run()
    world.tick()
    assert (state(world, "o1"), confirmed(world, yard)) == ("confirmed", 2)


def grant_after_two_messages(world: World, yard: FakeDevice) -> None:
    """Grants are told with how much has arrived by then."""
    world.tell(yard, yard.sell("o1"), yard.sell("o2"))
    yard.need(world, 12)
    world.tick()
    state = world.state("yard-1")
    assert state.upto == 2
    assert state.grants[0].granted > yard.totals.granted


def test_what_the_lost_cloud_had_received_is_told_with_what_it_had_granted(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """A card that was put back too would else sell those grants again; also where the next cloud is lost before it was heard."""
    saved = Restored(world, tmp_path)
    grant_after_two_messages(world, yard)
    granted = world.state("yard-1").grants[0].granted
    for _ in range(2):
        saved.restore()
        state = world.state("yard-1")
        assert (state.upto, state.known, state.written) == (0, 2, 2)
        assert state.grants[0].granted == granted
    heard(world, yard)
    world.tick(60_000)
    assert (world.state("yard-1").upto, world.state("yard-1").known) == (2, 0)
    conserved(world)


def test_of_a_life_that_the_backup_does_not_know_it_is_told_too(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    saved = Restored(world, tmp_path)
    yard.inc, yard.seq, yard.log, yard.totals = "life-2", 0, [], Totals()
    yard.hello(world, began="told")
    world.run()
    yard.hear(world)
    world.tell(yard, yard.sell("o1"), yard.sell("o2"))
    world.tick(60_000)
    assert (world.state("yard-1").inc, world.state("yard-1").upto) == ("life-2", 2)
    saved.restore()
    yard.hello(world, last_seq=1)
    world.run()
    assert (world.state("yard-1").inc, world.state("yard-1").written) == ("life-2", 2)


def test_who_lives_a_life_before_the_one_that_the_lost_cloud_knew_begins_another(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    saved = Restored(world, tmp_path)
    yard.inc, yard.seq = "life-2", 0
    yard.hello(world, began="told")
    world.run()
    saved.restore()
    yard.inc, yard.generation = "life-1", 2
    yard.hello(world)
    world.run()
    assert (world.state("yard-1").inc, world.state("yard-1").stop) == ("life-1", True)
    yard.inc = "life-2"
    yard.hello(world)
    world.run()
    assert (world.state("yard-1").inc, world.state("yard-1").stop) == ("life-2", False)


def test_an_answer_that_a_card_forgot_which_went_back_stays_counted(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """Guests have the tickets, though neither the backup nor the card knows of them."""
    saved = Restored(world, tmp_path)
    world.tell(yard, request(yard, "o1", 2))
    world.tick()
    assert confirmed(world, yard) == 2
    saved.restore()
    yard.inc, yard.seq, yard.log, yard.generation = "life-2", 0, [], 2
    yard.hello(world, began="went_back")
    world.run()
    assert confirmed(world, yard) == 2
    conserved(world)


def test_an_answer_in_an_epoch_that_the_card_never_knew_stays_counted_however_its_life_began(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """It went on in a life before that one, and was told to begin another."""
    saved = Restored(world, tmp_path)
    world.tell(yard, request(yard, "o1", 2))
    world.tick()
    saved.restore()
    answered = yard.epoch
    yard.inc, yard.seq, yard.log, yard.generation = "life-2", 0, [], 2
    yard.epoch, yard.totals = answered - 1, Totals()
    yard.hello(world, began="told")
    world.run()
    assert world.totals()["yard-1", answered].confirmed == 2
    conserved(world)


def test_an_answer_that_never_arrived_counts_no_more_though_its_device_never_heard_of_the_epoch(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """It lives the very life that the lost cloud answered."""
    before = yard.epoch
    yard.inc, yard.seq, yard.log = "life-2", 0, []
    yard.hello(world, began="told")
    world.run()
    hall.totals = msgspec.structs.replace(hall.totals, returned=5)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    saved = Restored(world, tmp_path)
    asked = request(yard, "o1", 2)
    world.tell(yard, asked)
    world.tick()
    assert world.totals()["yard-1", before + 1].confirmed == 2
    saved.restore()
    assert world.totals()["yard-1", before + 1].confirmed == 2
    hello_again(world, hall)
    hello_again(world, yard)
    assert world.totals()["yard-1", before + 1].confirmed == 0
    world.tell(yard, asked)
    go_on(world)
    assert state(world, "o1") == "confirmed"
    conserved(world)


def test_a_new_life_tells_what_the_last_one_had_not(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """What was due of the life that ended comes under the numbers of the present one."""
    saved = Restored(world, tmp_path)
    request(yard, "o1", 2)
    yard.sell("o2")
    saved.restore()
    hello_again(world, hall)
    hello_again(world, yard)
    yard.inc, yard.seq, yard.log = "life-2", 0, []
    asked, sold = request(yard, "o1", 2), yard.sell("o2")
    yard.hello(world, began="told")
    world.run()
    world.tell(yard, asked)
    go_on(world)
    assert state(world, "o1") == "waiting"
    world.tell(yard, sold)
    world.tick()
    assert state(world, "o1") == "confirmed"


def test_what_another_history_of_an_earlier_life_is_here_for_is_waited_for_in_the_present_one(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """Refused under its old numbers, it is told under new ones; nobody waits for the old ones any more, also if a hello comes twice."""
    yard.inc, yard.seq, yard.log = "life-2", 0, []
    yard.hello(world, began="went_back")
    world.run()
    hall.totals = msgspec.structs.replace(hall.totals, returned=5)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    saved = Restored(world, tmp_path)
    asked = request(yard, "o1", 2)
    saved.restore()
    hello_again(world, hall)
    yard.generation = world.state("yard-1").generation
    yard.hello(world, earlier=(Ack("life-1", 3),))
    first = world.wire.incoming[-1]
    world.tell(yard, asked)
    go_on(world)
    assert state(world, "o1") == "waiting"
    carried = yard.sell("o2")
    yard.hello(world)
    world.wire.incoming.append(first)
    world.run()
    world.tick()
    assert state(world, "o1") == "waiting"
    world.tell(yard, carried)
    world.tick()
    assert state(world, "o1") == "confirmed"


def test_a_yes_that_the_backup_had_still_to_deliver_is_given_in_its_own_name(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """A device that has named the new generation takes none of the lost one's."""
    world.tell(yard, request(yard, "o1", 2, ANNA))
    world.tick()
    saved = Restored(world, tmp_path)
    saved.restore()
    heard(world, hall)
    heard(world, yard)
    go_on(world)
    assert [each.order for each in answers(world, yard, world.inc)] == ["o1"]
    assert ANNA in [each.private for each in world.sent("yard-1") if f'"inc":"{world.inc}"' in each.content]
    assert confirmed(world, yard) == 2
    conserved(world)


def test_a_yes_that_a_card_lost_which_went_back_with_the_cloud_is_given_again(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    """The backup believes that the first one arrived; that the card lacks it shows in its ack of the second."""
    world.tell(yard, request(yard, "o1", 1), request(yard, "o2", 1))
    world.tick()
    lost = world.inc
    world.say("yard-1", "ack", encode(Ack(lost, 1)))
    world.run()
    saved = Restored(world, tmp_path)
    saved.restore()
    heard(world, hall)
    heard(world, yard)
    assert [each.order for each in answers(world, yard, world.inc)] == ["o2"]
    world.say("yard-1", "ack", encode(Ack(lost, 0)))
    world.tick()
    assert {each.order for each in answers(world, yard, world.inc)} == {"o1", "o2"}
    assert confirmed(world, yard) == 2


def test_of_a_silent_device_what_the_broker_remembers_stays_counted(
    world: World, hall: FakeDevice, yard: FakeDevice, tmp_path: Path
) -> None:
    saved = Restored(world, tmp_path)
    world.tell(yard, request(yard, "o1", 2))
    world.tick()
    saved.restore()
    heard(world, hall)
    losses.seal_device(world.database, "yard-1", "op", "lost", world.now_ms, log=None)
    go_on(world)
    assert confirmed(world, yard) == 2
    conserved(world)
