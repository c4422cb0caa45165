"""Everybody plays the same traces, the predictive plan oversells nothing, and intervals are reproducible."""

from __future__ import annotations

import pytest

from bench.policies import compare, trace
from bench.policies.ours import PredictiveEscrow
from bench.policies.replay import play


@pytest.mark.parametrize("down", trace.DOWN_SHARES)
def test_the_plan_of_the_cloud_sells_more_than_a_split_and_never_a_seat_twice(down: float) -> None:
    made = trace.make(3, down)
    kept: list[PredictiveEscrow] = []

    def build(of: trace.Trace) -> PredictiveEscrow:
        kept.append(PredictiveEscrow(of))
        return kept[0]

    outcome = play(made, build)
    assert outcome.oversold == 0
    assert outcome.ratio > 0.75
    granted = sum(each.heard.granted - each.heard.returned for each in kept[0].devices)
    assert granted <= made.seats
    assert all(each.own.unsold >= 0 for each in kept[0].devices)


def test_the_same_values_give_the_same_interval_around_their_mean() -> None:
    values = [0.8, 0.9, 1.0, 0.95]
    point = compare.interval(values)
    assert point == compare.interval(values)
    assert point.low < point.y < point.high


def test_contenders_are_at_their_best_on_the_tuning_traces_and_paired_on_the_others() -> None:
    tuning, held_out = [trace.make(1, 0.5)], [trace.make(2, 0.5)]
    everybody = compare.contenders(tuning)
    assert everybody[0].name == compare.OURS
    cheap = [each for each in everybody if each.name != compare.OURS]
    stronger, counter, *_ = found = compare.results(cheap, held_out)
    assert play(tuning[0], stronger.contender.build).ratio >= play(tuning[0], counter.contender.build).ratio
    assert {len(each.outcomes) for each in found} == {1}
    assert compare.paired(stronger, stronger).y == 1.0
