"""The published traces stay what they are, and the baselines are what their names say."""

from __future__ import annotations

import pytest

from bench.policies import baselines, trace
from bench.policies.replay import Builder, play
from bench.policies.trace import Arrival, LinkChange


def test_the_traces_are_those_that_were_published() -> None:
    assert trace.digest([1100, 9100]) == "e7c92a91b963ae9b"


def test_tuning_and_held_out_seeds_have_nothing_in_common() -> None:
    assert not set(trace.TUNING_SEEDS) & set(trace.HELD_OUT_SEEDS)


@pytest.mark.parametrize("down", trace.DOWN_SHARES)
def test_demand_and_outages_are_as_stated(down: float) -> None:
    traces = [trace.make(seed, down) for seed in range(8)]
    demand = sum(each.demand for each in traces) / len(traces)
    assert demand == pytest.approx(trace.LOAD * trace.SEATS, rel=0.05)
    assert sum(_share_down(each) for each in traces) / len(traces) == pytest.approx(down, abs=0.1)


def _share_down(made: trace.Trace) -> float:
    """The share of all link time after the first hour that is spent down."""
    down = 0.0
    since: dict[int, float] = {}
    for each in made.events:
        if isinstance(each, LinkChange) and not each.up:
            since[each.venue] = each.minute
        elif isinstance(each, LinkChange):
            down += each.minute - since.pop(each.venue)
    down += sum(made.minutes - each for each in since.values())
    return down / made.venues / (made.minutes - trace.ALL_UP_MINUTES)


EVERY: dict[str, Builder] = {
    **baselines.WITHOUT_PARAMETERS,
    "bounded counter": baselines.counter(baselines.CounterOptions(0.5, 4, True, 0.0)),
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("down", [0.2, 0.8])
def test_only_the_last_write_oversells(name: str, down: float) -> None:
    outcome = play(trace.make(1, down), EVERY[name])
    assert (outcome.oversold > 0) == (name == "last write wins")
    assert outcome.sold + outcome.refused == trace.make(1, down).demand
    assert outcome.refused_with_stock <= outcome.refused
    assert 0 < outcome.ratio <= 1


def test_the_counter_serves_with_a_donors_half_only_when_both_are_online() -> None:
    made = trace.Trace(0, 0.0, 40, 2, 10.0, ())
    counter = baselines.BoundedCounter(made, baselines.CounterOptions(0.5, 1, False, 0.0))
    assert all(counter.sell(1, 0, 4) for _ in range(5))
    assert not counter.sell(2, 0, 4)
    assert counter.rights == [10, 10]
    counter.link(3, 1, up=False)
    assert counter.sell(4, 0, 4)
    assert counter.sell(4, 0, 4)
    assert not counter.sell(4, 0, 4)
    assert counter.rights == [2, 10]


def test_a_party_is_an_arrival_of_one_to_four() -> None:
    sizes = {each.size for each in trace.make(2, 0.5).events if isinstance(each, Arrival)}
    assert sizes == {1, 2, 3, 4}
