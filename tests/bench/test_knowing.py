"""The bound is one: foreseeing everything sells at least as much as ours, and what it takes away is really lost."""

from __future__ import annotations

from bench.policies import knowing, trace
from bench.policies.ours import PredictiveEscrow
from bench.policies.replay import play
from bench.policies.trace import Arrival, LinkChange, Trace
from mqtt_bridge.cloud.allocation import QuotaFacts, fair_share

AWAY = (LinkChange(0.0, 0, up=False), LinkChange(0.0, 1, up=False))


def sale(*events: Arrival | LinkChange) -> Trace:
    """Three venues with ten seats each, for an hour; the links of the first two break at minute 0."""
    return Trace(0, 0.5, 30, 3, 60.0, AWAY + events)


def test_who_stays_away_sells_its_start_and_keeps_the_rest_from_all() -> None:
    seen = knowing.foresee(sale(Arrival(5, 0, 4), Arrival(6, 0, 4), Arrival(7, 1, 2), Arrival(9, 2, 30)))
    assert seen == knowing.Foresight((), (8, 2), 30, 30, 30)
    assert seen.ratio(10) == (30 - 2 - 8) / 30
    assert seen.ratio(2) == 1


def test_who_comes_back_brings_the_rest_along() -> None:
    seen = knowing.foresee(
        sale(Arrival(5, 0, 20), LinkChange(10, 0, up=True), LinkChange(11, 1, up=True), Arrival(12, 0, 3))
    )
    assert seen == knowing.Foresight((20, 0), (), 3, 30, 23)
    assert seen.ratio(10) == 13 / 23


def test_the_best_start_is_between_too_little_and_too_much() -> None:
    traces = [sale(Arrival(5, 0, 4), Arrival(7, 1, 4), Arrival(9, 2, 22))]
    assert knowing.most(traces, [0.9]) == ([1.0], 4)


def test_nothing_sells_more_than_what_foresees_it_all_from_the_same_start() -> None:
    made = trace.make(4000, 0.5)
    bound = knowing.foresee(made).ratio(fair_share(QuotaFacts(made.seats, 0, made.seats), made.venues))
    for build in (PredictiveEscrow, knowing.told(0.1)):
        assert play(made, build).ratio <= bound


def test_true_rates_from_the_start_are_worth_more_than_anything_learnt_later() -> None:
    made = trace.make(3039, 0.5)
    told = play(made, knowing.told(0.0))
    assert told.oversold == 0
    assert told.ratio > max(knowing.foresee(made).ratio(start) for start in range(made.seats // made.venues + 1))
