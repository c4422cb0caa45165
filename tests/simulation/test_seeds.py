"""Promises 1 and 2 under storms of faults: many seeds, each a busy evening; and that the simulator would see a broken promise."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.simulation.command import many, run_all
from tests.simulation.faults import COMMON, LATER, RARE
from tests.simulation.guards import CONTROLS, Guards
from tests.simulation.run import Result, run

FEW, MANY = range(1, 17), range(1_001, 1_301)
CONTROL_SEEDS = range(1, 40)
FOUND_SOMETHING_ONCE = (
    99,
    2053,
    2264,
    2275,
    30089,
    49084,
    50132,
    54147,
    60019,
    60418,
    406322,
    409863,
    421052,
    424876,
    1230,
    444326,
    520093,
)


def checked(result: Result) -> Result:
    assert not result.violation, f"{result.violation}; replay it: python -m tests.simulation --seed {result.seed}"
    assert result.devices >= 8
    assert result.bookings >= 300
    assert sum(result.faults.values()) >= 40
    return result


@pytest.mark.parametrize("seed", [*FEW, *FOUND_SOMETHING_ONCE])
def test_a_storm_breaks_no_promise(seed: int) -> None:
    checked(run(seed))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_storms_break_no_promise_and_every_fault_was_among_them() -> None:
    results = [checked(result) for result in run_all(MANY, os.cpu_count() or 1)]
    assert len(results) == len(MANY)
    seen = sum((each.faults for each in results), Counter[str]())
    assert len(seen) >= len(COMMON) + len(RARE) + len(LATER)
    assert sum(each.excess for each in results) <= sum(each.excess_allowed for each in results)


def test_a_seed_always_gives_the_same_run() -> None:
    first, second = run(5, telling=True), run(5, telling=True)
    assert first.story == second.story
    assert first.faults == second.faults


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name.replace(" ", "-"))
def test_with_a_guard_switched_off_a_broken_promise_is_found(control: type[Guards]) -> None:
    assert any(run(seed, control()).violation for seed in CONTROL_SEEDS)


def test_several_processes_share_the_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert many(range(1, 4), 2) == 0
    assert "3 seeds, 0 violations" in capsys.readouterr().out
