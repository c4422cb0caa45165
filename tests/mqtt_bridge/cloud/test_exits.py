"""The cloud keeps who is inside, whatever clocks say, and tells it to whoever takes a door over."""

from __future__ import annotations

from mqtt_bridge.cloud import losses
from mqtt_bridge.protocol.messages import CheckedIn, CheckInUndone, Exited, OrderConfirmed, VenueRetold
from tests.mqtt_bridge.cloud.world import FakeDevice, World


def came(check_in: str, after: str | None = None, ticket: str = "o1-0") -> CheckedIn:
    return CheckedIn(check_in, "admitted", None, ticket, "s", "A7", 1, after)


def went(exit_id: str, after: str, ticket: str = "o1-0") -> Exited:
    return Exited(exit_id, "left", None, ticket, "s", "A7", 1, after)


def undone(scan: str) -> CheckInUndone:
    return CheckInUndone(scan, "o1-0", "A7")


def presence(world: World) -> tuple[object, ...]:
    """(the admission that counts, the exit since) of the one ticket."""
    return world.rows("SELECT check_in, exit FROM ticket")[0]


def tell(world: World, door: FakeDevice, *scans: CheckedIn | Exited | CheckInUndone) -> None:
    """Let the door tell these, in this order."""
    world.tell(door, *(door.envelope(each) for each in scans))


def test_a_re_entry_is_no_second_admission_and_reaches_the_issuer(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"))
    scans: list[CheckedIn | Exited] = [came("c1"), went("e1", "c1"), came("c2", "e1"), went("e2", "c2")]
    tell(world, hall, *scans)
    assert presence(world) == ("c2", "e2")
    assert world.bodies("yard-1") == scans
    assert world.rows("SELECT kind FROM contradiction") == []


def test_an_admission_that_follows_no_exit_is_still_a_contradiction(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1"))
    tell(world, hall, came("c1"), went("e1", "c1"), came("c2"))
    assert world.rows("SELECT kind FROM contradiction") == [("admitted-twice",)]
    assert presence(world) == ("c1", "e1")


def test_taking_scans_back_leads_back_along_the_chain(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1"))
    tell(world, hall, came("c1"), went("e1", "c1"), came("c2", "e1"), undone("c2"))
    assert presence(world) == ("c1", "e1")
    world.tell(hall, hall.envelope(undone("e1")))
    assert presence(world) == ("c1", None)
    world.tell(hall, hall.envelope(undone("c1")))
    assert presence(world) == (None, None)


def test_scans_that_arrive_before_their_sale_are_put_in_order_without_a_clock(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    tell(world, hall, came("c1"), went("e1", "c1"), came("c2", "e1"), went("e2", "c2"))
    world.tell(yard, yard.sell("o1"))
    assert presence(world) == ("c2", "e2")
    assert [type(each) for each in world.bodies("hall-1")] == [OrderConfirmed]


def test_a_refused_scan_on_the_way_out_is_kept_and_changes_nothing(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1"))
    world.tell(hall, hall.envelope(Exited("e1", "refused", "not_inside", "o1-0", "s", "A7", 1)))
    assert world.rows("SELECT verdict, reason FROM check_in") == [("refused", "not_inside")]
    assert presence(world) == (None, None)


def test_a_replacement_is_told_the_last_of_the_chain_only(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1"))
    tell(world, hall, came("c1"), went("e1", "c1"), came("c2", "e1"), went("e2", "c2"))
    losses.replace_device(world.database, "hall-2", "hall", "hall-1", "op", "", world.now_ms, log=None)
    new = FakeDevice("hall-2", "hall")
    new.hello(world)
    world.tick()
    retold = next(each for each in world.bodies("hall-2") if isinstance(each, VenueRetold))
    scans = [each.body for each in retold.told if isinstance(each.body, CheckedIn | Exited)]
    assert scans == [came("c2", "e1"), went("e2", "c2")]
