"""The plan never gives away more than there is, whatever the figures, and gives what can be given."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mqtt_bridge.cloud.allocation import DeviceFacts, Grant, QuotaFacts, Recall, covers, fair_share, plan, stepped_limit
from mqtt_bridge.protocol.stock import Totals, pool

counts = st.integers(0, 400)


@st.composite
def device_facts(draw: st.DrawFn, name: str) -> DeviceFacts:
    granted = draw(counts)
    sold = draw(st.integers(0, granted))
    returned = draw(st.integers(0, granted - sold))
    cancelled = draw(st.integers(0, sold))
    totals = Totals(granted, 0, returned, sold, cancelled)
    return DeviceFacts(
        name=name,
        totals=totals,
        held=draw(st.integers(0, max(1, totals.unsold))),
        live=draw(st.booleans()),
        started=granted > 0,
        wanted=draw(st.integers(0, 30)),
        recalled=draw(st.integers(0, 30)),
        rate=draw(st.none() | st.floats(0.001, 500)),
        outage_h=draw(st.floats(0, 24)),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[QuotaFacts, list[DeviceFacts]]:
    devices = [draw(device_facts(f"d{k}")) for k in range(draw(st.integers(0, 6)))]
    out = sum(each.totals.granted - each.totals.returned for each in devices)
    limit, extra = out + draw(counts), draw(st.integers(0, 20))
    target = draw(st.none() | st.integers(0, limit))
    left = pool(limit, extra, [each.totals for each in devices])
    hours = draw(st.none() | st.floats(-10, 1000))
    return QuotaFacts(limit, extra, left, target, draw(st.booleans()), hours), devices


def granted(steps: list[Grant | Recall]) -> dict[str, int]:
    return {step.device: step.quantity for step in steps if isinstance(step, Grant)}


def fresh(names: str) -> list[DeviceFacts]:
    return [DeviceFacts(each) for each in names]


@given(situations())
def test_grants_never_exceed_the_pool(situation: tuple[QuotaFacts, list[DeviceFacts]]) -> None:
    quota, devices = situation
    given_out = granted(plan(quota, devices))
    assert sum(given_out.values()) <= max(0, quota.pool)
    assert all(quantity > 0 for quantity in given_out.values())


@given(situations())
def test_nothing_is_granted_while_frozen_or_while_a_lower_limit_is_pending(
    situation: tuple[QuotaFacts, list[DeviceFacts]],
) -> None:
    quota, devices = situation
    assert plan(replace(quota, frozen=True), devices) == []
    if quota.target is not None and quota.target < quota.limit:
        assert granted(plan(quota, devices)) == {}


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_in_which_devices_are_listed_changes_nothing(
    situation: tuple[QuotaFacts, list[DeviceFacts]], shuffle: random.Random
) -> None:
    quota, devices = situation
    mixed = list(devices)
    shuffle.shuffle(mixed)
    assert plan(quota, mixed) == plan(quota, devices)


@given(situations())
def test_the_same_figures_give_the_same_plan(situation: tuple[QuotaFacts, list[DeviceFacts]]) -> None:
    quota, devices = situation
    assert plan(quota, devices) == plan(quota, [replace(each) for each in devices])


@given(situations(), st.integers(0, 200))
def test_a_larger_pool_never_gives_less(situation: tuple[QuotaFacts, list[DeviceFacts]], more: int) -> None:
    quota, devices = situation
    richer = replace(quota, limit=quota.limit + more, pool=quota.pool + more, target=None)
    quota = replace(quota, target=None)
    # First grants follow the capacity; here only the pool is larger.
    devices = [replace(each, started=True, rate=each.rate or 1.0) for each in devices]
    assert sum(granted(plan(richer, devices)).values()) >= sum(granted(plan(quota, devices)).values())


@given(situations(), st.integers(0, 5), st.floats(1, 10))
def test_more_demand_never_means_less_cover(
    situation: tuple[QuotaFacts, list[DeviceFacts]], index: int, times: float
) -> None:
    quota, devices = situation
    if index >= len(devices) or devices[index].rate is None:
        return
    busier = [replace(each, rate=(each.rate or 0) * times) if k == index else each for k, each in enumerate(devices)]
    name = devices[index].name
    assert covers(quota, busier).get(name, 0) >= covers(quota, devices).get(name, 0)


@given(situations())
def test_covers_never_promise_more_than_can_be_reached(situation: tuple[QuotaFacts, list[DeviceFacts]]) -> None:
    quota, devices = situation
    reach = max(0, quota.pool) + sum(each.free for each in devices if each.live)
    promised = covers(quota, devices)
    assert sum(promised.values()) <= reach
    assert all(cover >= 0 for cover in promised.values())


@given(situations())
def test_plans_come_to_rest(situation: tuple[QuotaFacts, list[DeviceFacts]]) -> None:
    """With recalls answered at once and no sales meanwhile, a few plans later nothing moves."""
    quota, facts = situation
    quota = replace(quota, target=None, frozen=False)
    devices = {each.name: replace(each, recalled=0) for each in facts}
    for _ in range(12):
        _settle(quota, devices)
    left = pool(quota.limit, quota.extra, [each.totals for each in devices.values()])
    assert plan(replace(quota, pool=left), list(devices.values())) == []


@given(situations())
def test_only_devices_that_can_hear_it_get_stock(situation: tuple[QuotaFacts, list[DeviceFacts]]) -> None:
    quota, devices = situation
    live = {each.name for each in devices if each.live}
    assert granted(plan(quota, devices)).keys() <= live


@given(situations())
def test_a_recall_never_asks_for_more_than_a_device_could_return(
    situation: tuple[QuotaFacts, list[DeviceFacts]],
) -> None:
    quota, devices = situation
    by_name = {each.name: each for each in devices}
    for step in plan(quota, devices):
        if isinstance(step, Recall):
            device = by_name[step.device]
            assert device.totals.returned < step.returned
            assert step.returned - device.totals.returned <= device.totals.available(device.held)


@given(situations())
def test_what_is_wanted_is_granted_or_recalled_as_far_as_it_exists(
    situation: tuple[QuotaFacts, list[DeviceFacts]],
) -> None:
    """Where every device has started, requests come before refills, and the rest is recalled from live surplus."""
    quota, devices = situation
    devices = [replace(each, started=True) for each in devices]
    quota = replace(quota, target=None, frozen=False)
    steps = plan(quota, devices)
    wanted = sum(each.wanted for each in devices if each.live)
    met = sum(min(granted(steps).get(each.name, 0), each.wanted) for each in devices if each.live)
    assert met == min(wanted, quota.pool)
    by_name = {each.name: each for each in devices}
    donors = [each for each in devices if each.live and not each.wanted]
    asked = sum(step.returned - by_name[step.device].totals.returned for step in steps if isinstance(step, Recall))
    coming = sum(min(each.recalled, each.totals.available(each.held)) for each in devices if each.live)
    surplus = sum(each.free for each in donors)
    assert asked + coming >= min(wanted - met, surplus)


def test_twenty_five_for_two_devices_are_eleven_each() -> None:
    assert granted(plan(QuotaFacts(25, 0, 25), fresh("ab"))) == {"a": 11, "b": 11}


@given(st.integers(2, 500))
def test_two_venues_start_with_at_least_four_fifths_of_the_stock(limit: int) -> None:
    given_out = granted(plan(QuotaFacts(limit, 0, limit), fresh("ab")))
    assert sum(given_out.values()) >= limit * 4 // 5 - 1
    assert given_out["a"] == given_out["b"]


@given(st.integers(1, 60), st.integers(1, 20))
def test_every_device_starts_with_a_ticket_while_there_are_any(limit: int, devices: int) -> None:
    given_out = granted(plan(QuotaFacts(limit, 0, limit), [DeviceFacts(f"d{k:02}") for k in range(devices)]))
    assert len(given_out) == min(limit, devices)


def test_while_nothing_is_known_a_device_that_runs_low_gets_the_pool_and_nobody_gives_back() -> None:
    low = DeviceFacts("a", Totals(granted=11, sold=10), started=True)
    full = DeviceFacts("b", Totals(granted=11), started=True)
    assert plan(QuotaFacts(25, 0, 3), [low, full]) == [Grant("a", 3)]
    assert plan(QuotaFacts(25, 0, 3), [replace(low, totals=Totals(granted=11, sold=5)), full]) == []


def test_known_demand_moves_stock_before_anybody_asks() -> None:
    """The busy one is to have twice what the quiet one has, of 100 that can be reached; half of an even split remains."""
    busy = DeviceFacts("a", Totals(granted=50, sold=10), started=True, rate=40.0, outage_h=2.0)
    quiet = DeviceFacts("b", Totals(granted=50), started=True, rate=20.0, outage_h=2.0)
    assert covers(QuotaFacts(110, 0, 10), [busy, quiet]) == {"a": 66, "b": 33}
    assert plan(QuotaFacts(110, 0, 10), [busy, quiet]) == [Grant("a", 10), Recall("b", 16)]
    idle = replace(quiet, rate=0.001)
    assert plan(QuotaFacts(110, 0, 10), [busy, idle]) == [Grant("a", 10), Recall("b", 25)]


def test_a_longer_expected_outage_means_more_cover() -> None:
    steady = DeviceFacts("a", Totals(granted=10), started=True, rate=2.0, outage_h=1.0)
    shaky = DeviceFacts("b", Totals(granted=10), started=True, rate=2.0, outage_h=4.0)
    assert covers(QuotaFacts(1000, 0, 980), [steady, shaky]) == {"a": 10, "b": 40}


def test_before_the_end_of_a_sale_a_device_is_given_only_what_it_may_still_sell() -> None:
    device = DeviceFacts("a", Totals(granted=10, sold=10), started=True, rate=6.0, outage_h=4.0)
    given_out = [granted(plan(QuotaFacts(1000, 0, 990, hours_left=hours), [device])) for hours in (None, 100, 2, -1)]
    assert given_out == [{"a": 120}, {"a": 120}, {"a": 12}, {"a": 120}]


def test_grants_shrink_near_sell_out() -> None:
    """Four equal devices that each could sell 40 in an outage: with 20 left for all of them, each has five."""
    devices = [DeviceFacts(each, Totals(10, 0, 0, 10, 0), started=True, rate=4.0, outage_h=2.0) for each in "abcd"]
    assert granted(plan(QuotaFacts(60, 0, 20), devices)) == dict.fromkeys("abcd", 5)


def test_requests_come_before_covers() -> None:
    asker = DeviceFacts("a", Totals(granted=9, sold=9), started=True, wanted=3, rate=1.0, outage_h=1.0)
    hungry = DeviceFacts("b", Totals(granted=9, sold=9), started=True, rate=100.0, outage_h=9.0)
    assert granted(plan(QuotaFacts(21, 0, 3), [asker, hungry])) == {"a": 3}


def test_surplus_is_recalled_from_whoever_has_most_and_half_of_it_at_once() -> None:
    asker = DeviceFacts("a", Totals(granted=10, sold=10), started=True, wanted=1)
    donors = [DeviceFacts("b", Totals(granted=9), started=True), DeviceFacts("c", Totals(granted=20), started=True)]
    assert plan(QuotaFacts(39, 0, 0), [asker, *donors]) == [Recall("c", 10)]


def test_a_recall_under_way_is_not_asked_twice() -> None:
    asker = DeviceFacts("a", Totals(granted=10, sold=10), started=True, wanted=1)
    donor = DeviceFacts("b", Totals(granted=9), started=True, recalled=4)
    assert plan(QuotaFacts(19, 0, 0), [asker, donor]) == []


def test_a_lower_limit_is_approached_as_stock_comes_back() -> None:
    """25 with 22 out, lowered to 10: 3 of the pool go at once, the gap is recalled, sold tickets stay."""
    assert stepped_limit(10, committed=22, extra=0) == 22
    devices = [
        DeviceFacts("a", Totals(granted=11, sold=4), started=True),
        DeviceFacts("b", Totals(granted=11), started=True),
    ]
    assert plan(QuotaFacts(22, 0, 0, target=10), devices) == [Recall("b", 11), Recall("a", 1)]
    assert stepped_limit(10, committed=10, extra=0) == 10


@given(st.integers(1, 60), st.integers(2, 4), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=60))
def test_a_connected_house_sells_out_and_never_oversells(limit: int, count: int, demand: list[tuple[int, int]]) -> None:
    """Demand at any device ends in a sale as long as any device has stock; recalls are answered at once."""
    devices = {f"d{k}": DeviceFacts(f"d{k}") for k in range(count)}
    wanted_in_all = 0
    for index, quantity in [(0, 0), *demand]:
        name = f"d{index % count}"
        wanted_in_all += quantity
        devices[name] = replace(devices[name], wanted=max(0, quantity - devices[name].free))
        for _ in range(8):
            _settle(QuotaFacts(limit, 0, 0), devices)
        sold = min(quantity, devices[name].free)
        totals = devices[name].totals
        devices[name] = replace(
            devices[name], totals=msgspec.structs.replace(totals, sold=totals.sold + sold), wanted=0
        )
    sold_in_all = sum(each.totals.sold for each in devices.values())
    assert sold_in_all == min(limit, wanted_in_all)
    assert pool(limit, 0, [each.totals for each in devices.values()]) >= 0


def _settle(quota: QuotaFacts, devices: dict[str, DeviceFacts]) -> None:
    left = pool(quota.limit, quota.extra, [each.totals for each in devices.values()])
    for step in plan(replace(quota, pool=left), list(devices.values())):
        old = devices[step.device]
        if isinstance(step, Grant):
            totals = msgspec.structs.replace(old.totals, granted=old.totals.granted + step.quantity)
            devices[step.device] = replace(old, totals=totals, started=True, wanted=max(0, old.wanted - step.quantity))
        else:
            devices[step.device] = replace(old, totals=msgspec.structs.replace(old.totals, returned=step.returned))


def test_the_share_is_nine_tenths_split_evenly() -> None:
    assert [fair_share(QuotaFacts(limit, 0, 0), 2) for limit in (0, 1, 2, 25, 100)] == [0, 1, 1, 11, 45]
