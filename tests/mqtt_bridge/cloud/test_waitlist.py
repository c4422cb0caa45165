"""One fair line per quota: what the cloud grants, recalls and tells for those who wait."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.cloud.allocation import DeviceFacts, Recall
from mqtt_bridge.cloud.lines import Standing, serve_line
from mqtt_bridge.cloud.losses import replace_device
from mqtt_bridge.protocol.messages import (
    AllocationReturned,
    InLine,
    OfferMade,
    OfferWithdrawn,
    ReturnAllocation,
    WaitlistEntrusted,
    WaitlistJoined,
    WaitlistLeft,
    Wish,
)
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.protocol.waitlist import SAVING_MS, Waiting
from tests.mqtt_bridge.cloud.world import FakeDevice, World

# --- the pure plan


def standing(*entries: tuple[str, int]) -> list[Standing]:
    """Entries (device, quantity) named 0, 1, 2 ..."""
    return [Standing(device, Waiting(str(k), quantity)) for k, (device, quantity) in enumerate(entries)]


def device(name: str, free: int = 0, held: int = 0, **facts: int) -> DeviceFacts:
    return DeviceFacts(name, Totals(granted=free + held), held, **facts)  # type: ignore[arg-type]


def test_the_pool_goes_to_the_devices_of_those_who_are_next() -> None:
    """In order, before anything else; the rest is for ordinary grants."""
    plan = serve_line(standing(("a", 2), ("b", 1)), 5, [device("a"), device("b")])
    assert (plan.grants, plan.recalls, plan.pool) == ({"a": 2, "b": 1}, [], 2)


def test_what_is_missing_is_recalled_from_those_with_stock_nobody_is_due() -> None:
    """Most first; what a device has for its own people stays; what is on its way is not asked for twice."""
    line = standing(("a", 3), ("b", 1))
    plan = serve_line(line, 1, [device("a"), device("b", 2), device("c", 3)])
    assert (plan.grants, plan.pool) == ({"b": 0}, 0)
    assert plan.recalls == [Recall("c", 2)]
    again = serve_line(line, 1, [device("a"), device("b", 2), device("c", 3, recalled=2)])
    assert again.recalls == []


def test_what_a_group_cannot_use_goes_on_to_others_and_then_is_saved() -> None:
    """From the pool, up to its own size; stock that devices have is not moved meanwhile."""
    line = standing(("a", 4))
    plan = serve_line(line, 1, [device("a"), device("b", 2)])
    assert (plan.grants, plan.recalls, plan.pool) == ({}, [], 1)
    assert all(each.free == 0 for each in plan.devices)
    passed = [replace(each, waiting=replace(each.waiting, passed=4)) for each in line]
    assert serve_line(passed, 1, [device("a"), device("b", 2)]).pool == 0


FACTS = st.lists(
    st.builds(device, st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 3), live=st.booleans()),
    unique_by=lambda each: each.name,
    max_size=3,
)
LINES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=6)


@given(LINES, FACTS, st.integers(0, 12))
def test_a_plan_grants_no_more_than_the_pool_and_moves_no_more_than_is_free(
    entries: list[tuple[str, int]], facts: list[DeviceFacts], pool: int
) -> None:
    """Whatever waits where: granted + left never exceed the pool, and due stock can be brought together."""
    live = {each.name: each.totals.available(each.held) for each in facts if each.live}
    line = [Standing(each.device, replace(each.waiting, reachable=each.device in live)) for each in standing(*entries)]
    plan = serve_line(line, pool, facts)
    granted = sum(plan.grants.values())
    assert 0 <= plan.pool <= pool - granted
    recalled = {each.device: each.returned for each in plan.recalls}
    assert all(number <= live[name] for name, number in recalled.items())
    due = sum(each.quantity for each in plan.served.offers)
    assert due <= pool + sum(live.values())
    assert granted + sum(recalled.values()) <= due


# --- the reconciler


def waits(world: World, at: FakeDevice, entry: str, number: int, quantity: int = 1) -> None:
    world.tell(at, at.envelope(WaitlistJoined(entry, "q", number, (Wish("t", quantity),), 0)))


def offers(world: World, at: FakeDevice, entry: str, quantity: int = 1) -> None:
    at.held += quantity
    world.tell(at, at.envelope(OfferMade(entry, "q", (at.count(),))))


def leaves(world: World, at: FakeDevice, entry: str, why: str, held: int = 0) -> None:
    at.held -= held
    world.tell(at, at.envelope(WaitlistLeft(entry, "q", why, (at.count(),))))  # type: ignore[arg-type]


def line_of(world: World, name: str) -> tuple[InLine, ...]:
    grant = next(each for each in world.state(name).grants if each.quota == "q")
    return grant.line


def states(world: World) -> list[object]:
    return [row[0] for row in world.rows("SELECT state FROM waitlist ORDER BY place")]


def sold_out(world: World) -> tuple[FakeDevice, FakeDevice]:
    """Two venues that sold all 25 seats between them."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    for at in (hall, yard):
        world.tell(at, at.sell(at.name, at.totals.granted))
        at.need(world, 25)
        world.run()
        at.hear(world)
    left = {at.name: at.totals.unsold for at in (hall, yard)}
    for at in (hall, yard):
        if left[at.name]:
            world.tell(at, at.sell(f"{at.name} rest", left[at.name]))
    assert world.pool() == 0
    return hall, yard


def test_a_cancel_at_one_venue_serves_who_joined_first_at_another(world: World) -> None:
    """Recalled where it came free, granted where the first in line waits, although the other venue has one waiting too."""
    hall, yard = sold_out(world)
    waits(world, yard, "first", 1)
    waits(world, hall, "second", 1)
    world.tick()
    assert [each.number for each in line_of(world, "hall-1")] == [0, 1]
    assert [each.number for each in line_of(world, "yard-1")] == [1, 0]
    world.tell(hall, hall.cancel("hall-1"))
    recall = world.bodies("hall-1")[-1]
    assert recall == ReturnAllocation("q", hall.epoch, 1)
    before = yard.totals.granted
    hall.totals = replace_returned(hall.totals, 1)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    yard.hear(world)
    assert yard.totals.granted == before + 1
    offers(world, yard, "first")
    assert states(world) == ["offered", "waiting"]
    world.tick()
    assert [each.number for each in line_of(world, "hall-1")] == [1]
    leaves(world, yard, "first", "lapsed", held=1)
    assert isinstance(world.bodies("yard-1")[-1], ReturnAllocation)
    assert states(world) == ["lapsed", "waiting"]


def replace_returned(totals: Totals, returned: int) -> Totals:
    return Totals(totals.granted, totals.confirmed, totals.returned + returned, totals.sold, totals.cancelled)


def test_a_device_that_has_what_its_own_first_needs_keeps_it(world: World) -> None:
    """No recall and no grant: it serves its own line."""
    hall, yard = sold_out(world)
    waits(world, hall, "first", 1)
    waits(world, yard, "second", 1)
    before = len(world.bodies("hall-1"))
    world.tell(hall, hall.cancel("hall-1"))
    assert len(world.bodies("hall-1")) == before
    offers(world, hall, "first")
    assert states(world) == ["offered", "waiting"]


def test_who_is_cut_off_keeps_the_place_and_holds_nobody_up(world: World) -> None:
    """The others are told that stock cannot get there now."""
    hall, yard = sold_out(world)
    waits(world, yard, "first", 1, 2)
    waits(world, hall, "second", 1)
    world.say("yard-1", "link", b'{"up": false}')
    hall.status(world)
    world.tick()
    assert line_of(world, "hall-1") == (InLine(0, 2, 0, 0, False), InLine(1, 1))
    before = len(world.bodies("hall-1"))
    world.tell(hall, hall.cancel("hall-1"))
    assert len(world.bodies("hall-1")) == before


def test_a_repeated_join_and_a_late_message_revive_nothing(world: World) -> None:
    """Ends are ends, and places are given once."""
    hall, _yard = sold_out(world)
    waits(world, hall, "a", 1)
    waits(world, hall, "b", 2)
    waits(world, hall, "a", 1)
    leaves(world, hall, "a", "left")
    waits(world, hall, "a", 1)
    offers(world, hall, "a")
    assert states(world) == ["left", "waiting"]
    assert world.rows("SELECT entry FROM waitlist ORDER BY place") == [("a",), ("b",)]
    assert "indigestible" not in world.alarms()


def test_an_offer_is_counted_once_past_those_before_it(world: World) -> None:
    """A group of two is passed by two single guests, however often the plan is made."""
    hall, yard = sold_out(world)
    waits(world, yard, "group", 1, 2)
    for number in (1, 2):
        waits(world, hall, f"single-{number}", number)
        world.tell(hall, hall.cancel("hall-1"))
        offers(world, hall, f"single-{number}")
        for _ in range(3):
            hall.status(world)
            yard.status(world)
            world.tick()
        leaves(world, hall, f"single-{number}", "taken", held=0)
    assert world.rows("SELECT passed FROM waitlist WHERE entry = 'group'") == [(2,)]


def test_what_others_buy_is_counted_past_a_group_and_what_is_saved_in_vain_opens_a_round(world: World) -> None:
    """Two sold past a group of two, at any venue; then ten minutes saved, another round, and twice as long."""
    hall, yard = sold_out(world)
    waits(world, yard, "group", 1, 2)

    def later(ms: int) -> tuple[object, ...]:
        world.now_ms += ms
        for at in (hall, yard):
            at.status(world)
        world.run()
        world.tick(0)
        return world.rows("SELECT rounds, passed FROM waitlist")[0]

    for number in (1, 2):
        world.tell(hall, hall.cancel("hall-1"))
        assert later(1000) == (0, number - 1)
        world.tell(hall, hall.sell(f"walk-up-{number}"))
        assert later(1000) == (0, number)
    world.tell(hall, hall.cancel("hall-1"))
    assert later(1000) == (0, 2)
    assert line_of(world, "hall-1") == (InLine(0, 2, 0, 2),)
    assert later(SAVING_MS - 1001) == (0, 2)
    assert later(1) == (1, 0)
    world.tell(hall, hall.sell("walk-up-3"))
    world.tell(hall, hall.cancel("hall-1"))
    world.tell(hall, hall.sell("walk-up-4"))
    world.tell(hall, hall.cancel("hall-1"))
    assert later(1000) == (1, 2)
    assert later(2 * SAVING_MS - 1001) == (1, 2)
    assert later(1) == (2, 0)


def test_a_new_life_is_asked_to_answer_for_what_it_forgot(world: World) -> None:
    """Its entries are told again or entrusted, at their places; offers of the old life are void."""
    hall, yard = sold_out(world)
    waits(world, hall, "kept", 1)
    waits(world, yard, "other", 1)
    waits(world, hall, "forgotten", 2, 3)
    world.tell(hall, hall.cancel("hall-1"))
    offers(world, hall, "kept")
    hall.inc, hall.seq, hall.epoch, hall.totals, hall.held = "life-2", 0, 0, Totals(), 0
    hall.hello(world)
    world.run()
    world.tick()
    letters = [each for each in world.bodies("hall-1") if isinstance(each, WaitlistEntrusted)]
    assert [(each.entry, each.number) for each in letters] == [("kept", 1), ("forgotten", 2)]
    assert letters[1].wishes == (Wish("t", 3),)
    assert [each.reachable for each in line_of(world, "yard-1")] == [True, False]
    for entry, number, quantity in (("kept", 1, 1), ("forgotten", 2, 3)):
        waits(world, hall, entry, number, quantity)
    for at in (hall, yard):
        at.status(world)
    world.tick()
    assert [(each.number, each.reachable) for each in line_of(world, "yard-1")] == [(0, True), (1, True), (0, True)]
    assert len([each for each in world.bodies("hall-1") if isinstance(each, WaitlistEntrusted)]) == 2


def test_the_replacement_of_a_sealed_device_takes_over_its_people_in_order(world: World) -> None:
    """Before its own, at the places they had; a late word of the sealed device changes nothing."""
    hall, yard = sold_out(world)
    waits(world, yard, "a", 1)
    waits(world, hall, "b", 1)
    waits(world, yard, "c", 2)
    replace_device(world.database, "yard-2", "yard", "yard-1", "ada", "card broke", world.now_ms, log=None)
    spare = FakeDevice("yard-2", "yard")
    world.tick()
    spare.hello(world)
    world.run()
    spare.hear(world)
    world.tick()
    letters = [each for each in world.bodies("yard-2") if isinstance(each, WaitlistEntrusted)]
    assert [each.entry for each in letters] == ["a", "c"]
    assert letters[0].number < letters[1].number < 0
    for each in letters:
        waits(world, spare, each.entry, each.number)
    hall.status(world)
    world.tick()
    assert [each.number for each in line_of(world, "yard-2")] == [letters[0].number, 0, letters[1].number]
    assert states(world) == ["waiting"] * 3
    leaves(world, yard, "a", "left")
    assert states(world) == ["waiting"] * 3
    leaves(world, yard, "a", "taken")
    assert states(world) == ["taken", "waiting", "waiting"]


def test_a_withdrawn_offer_waits_again(world: World) -> None:
    """The device lost the stock behind it."""
    hall, _yard = sold_out(world)
    waits(world, hall, "a", 1)
    world.tell(hall, hall.cancel("hall-1"))
    offers(world, hall, "a")
    world.tell(hall, hall.envelope(OfferWithdrawn("a", "q")))
    assert states(world) == ["waiting"]


def test_an_entry_that_wants_nothing_or_less_is_listed_and_stands_in_no_line(world: World) -> None:
    """Less than nothing would make stock for those behind."""
    hall, yard = sold_out(world)
    waits(world, hall, "nothing", 1, 0)
    waits(world, hall, "less", 2, -5)
    waits(world, yard, "real", 1)
    assert world.rows("SELECT entry FROM waitlist") == [("real",)]
    assert world.alarms() == {"malformed"}
