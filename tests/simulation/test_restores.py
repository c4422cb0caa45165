"""A cloud put back from a backup while lines are bad: whom it waits for, and how it learns what it lacks."""

from __future__ import annotations

import pytest

from mqtt_bridge.cloud.records import Order
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Hello
from tests.simulation import till
from tests.simulation.card import Card
from tests.simulation.device import Device
from tests.simulation.guests import LIMITS
from tests.simulation.unit import CLOUD, Unit
from tests.simulation.world import World

LOSSY_MS = 16_000  # longer than a state waits to be told again


def lose_hellos(who: Device, generation: int) -> list[Hello]:
    """Have hellos of ``who`` that name a generation vanish behind a PUBACK for a while; returns where they will be found."""
    lost: list[Hello] = []
    publish, until_ms = who.port.publish, who.world.time.now_ms + LOSSY_MS

    def lossy(topic: str, payload: bytes, retain: bool = False) -> bool:
        if topic.endswith("/hello") and who.world.time.now_ms < until_ms:
            hello = decode(payload, Hello)
            if hello.generation == generation:
                lost.append(hello)
                return True
        return publish(topic, payload, retain)

    who.port.publish = lossy  # type: ignore[method-assign]
    return lost


def test_a_hello_that_was_lost_is_said_again_until_the_restored_cloud_has_heard_it() -> None:
    """States meanwhile answer the hello before; taken for an answer, the device would be waited for until its line breaks."""
    world = World(4)
    world.start()
    world.pass_time(5_000)
    backup = world.centre.backup()
    world.pass_time(2_000)
    lost = lose_hellos(world.devices[0], 2)
    world.centre.restore(backup)
    world.pass_time(40_000)
    assert lost
    world.centre.confirm_restored(())
    assert not world.centre.restoring


def sell(who: Device, number: int) -> None:
    """Have ``who`` sell so many single tickets of quota a, which it tells at once."""

    def one(unit: Unit) -> None:
        till.confirm(unit, till.place_hold(unit, [("a", 1)], LIMITS))

    for _ in range(number):
        who.run(one)
        who.world.pass_time(300)


def cloud_and_card_both_put_back(*, broker_forgets: bool) -> tuple[World, Device, str, int]:
    """A town whose cloud, and then one device's card, go back to before sales that the lost cloud had heard of.

    With the device come the life it lived and how many tickets the image could sell.
    """
    world = World(4)
    world.start()
    world.pass_time(5_000)
    who = world.devices[0]
    backup, image, inc = world.centre.backup(), who.card.copy(), who.card.row.inc
    unsold = image.unsold("a")
    sell(who, unsold + 2)  # more than it had: it is granted some in between
    world.pass_time(3_000)
    assert world.centre.received(who.name, inc) > image.mail.last_seq(CLOUD, inc)
    who.power_off()
    if broker_forgets:
        world.network.restart(forgets=True, down_ms=100)
    world.truth.card_replaced(who, image)
    who.card = image
    world.centre.restore(backup)
    world.pass_time(3_000)
    who.boot()
    world.pass_time(20_000)
    world.centre.confirm_restored(())
    assert not world.centre.restoring
    world.pass_time(5_000)
    return world, who, inc, unsold


@pytest.mark.fault(18)
def test_a_card_put_back_is_noticed_by_what_the_broker_kept_though_the_cloud_forgot_too() -> None:
    """It would else be granted again what the lost card had sold already."""
    world, who, inc, unsold = cloud_and_card_both_put_back(broker_forgets=False)
    assert who.card.row.inc != inc
    assert [each.kind for each in world.centre.alarms("went-back")] == ["went-back"]
    old, new = sorted(
        ((epoch, each) for (quota, epoch), each in who.card.shelves.rows.items() if quota == "a"),
        key=lambda pair: pair[0],
    )
    assert not old[1].current
    assert new[1].current
    assert world.truth.excess["a"] == unsold, "what the image itself could sell, and nothing more"


@pytest.mark.fault(18)
def test_where_nobody_remembers_it_what_may_be_sold_twice_is_stated() -> None:
    """The cloud, the broker and the card all lost it: only the receipts in guests' hands know."""
    world, who, inc, unsold = cloud_and_card_both_put_back(broker_forgets=True)
    assert who.card.row.inc == inc
    assert world.centre.alarms("went-back") == []
    assert unsold < world.truth.excess["a"] <= 2 * unsold + 2, "besides that, what was sold of grants made since"


def put_back(who: Device, image: Card) -> None:
    """Run from an older image from now on."""
    who.power_off()
    who.world.truth.card_replaced(who, image)
    who.card = image
    who.boot()


@pytest.mark.fault(18)
def test_the_same_image_put_back_twice_goes_on_by_itself_and_loses_no_sale() -> None:
    """The second time the life of the image is over: the next one is silent, so this is no second card, and it begins another."""
    world = World(4)
    world.start()
    world.pass_time(5_000)
    who = world.devices[0]
    image, inc = who.card.copy(), who.card.row.inc
    sell(who, 2)
    world.pass_time(3_000)
    put_back(who, image.copy())
    world.pass_time(20_000)
    second = who.card.row.inc
    assert world.centre.present_life(who.name) == second != inc
    put_back(who, image.copy())
    before = set(who.card.orders.rows)
    sell(who, 3)
    sold = set(who.card.orders.rows) - before
    assert len(sold) == 3
    world.pass_time(30_000)
    assert who.card.row.inc == inc, "another card may yet speak"
    world.pass_time(70_000)
    assert world.centre.present_life(who.name) == who.card.row.inc not in {inc, second}
    assert sold <= {each.id for each in world.centre.vault.rows.all(Order)}
    assert who.card.mail.backlog(CLOUD)[0] == 0
    sell(who, 1)
    assert {each.subject for each in world.centre.alarms("old-life", "went-back")} == {who.name, f"{who.name} {inc}"}


@pytest.mark.fault(19)
def test_of_two_cards_that_speak_by_turns_the_older_life_is_kept_waiting() -> None:
    """Whoever was told to begin another life would shut the other one out, and so on without end."""
    world = World(4)
    world.start()
    world.pass_time(5_000)
    who = world.devices[0]
    older, inc = who.card.copy(), who.card.row.inc
    sell(who, 2)
    world.pass_time(3_000)
    put_back(who, older.copy())
    world.pass_time(20_000)
    newer, present = who.card, who.card.row.inc
    for turn in range(8):
        who.power_off()
        who.card = older if turn % 2 else newer
        who.boot()
        world.pass_time(25_000)
        assert who.card.row.inc == (inc if turn % 2 else present)
    assert world.centre.present_life(who.name) == present


@pytest.mark.fault(20)
def test_a_sealed_card_that_goes_on_in_an_older_life_tells_its_sales_and_sells_no_more() -> None:
    world = World(4)
    world.start()
    world.pass_time(5_000)
    who = next(each for each in world.devices if each not in world.doors.values())
    image = who.card.copy()
    sell(who, 2)
    world.pass_time(3_000)
    put_back(who, image.copy())
    world.pass_time(20_000)
    put_back(who, image.copy())
    before = set(who.card.orders.rows)
    sell(who, 2)
    sold = set(who.card.orders.rows) - before
    world.centre.seal(who.name, world.doors[who.identity.venue].name)
    world.sealed.add(who.name)
    world.pass_time(120_000)
    assert who.card.row.sealed
    assert who.card.mail.backlog(CLOUD)[0] == 0
    assert sold <= {each.id for each in world.centre.vault.rows.all(Order)}
    assert who.card.unsold("a") == 0
