"""Health readings and the back-off helper."""

from __future__ import annotations

from typing import cast

import pytest

from drivers.backoff import Backoff
from drivers.health import HealthRecord, State


def test_the_since_time_stays_while_the_state_stays() -> None:
    now = [1.0]
    health = HealthRecord(lambda: now[0])
    now[0] = 2.0
    health.set(State.READY, "fine", paper="ok")
    now[0] = 3.0
    health.set(State.READY, "still fine")
    assert (health().since_ms, health().reason) == (2000, "still fine")
    health.set(State.FAULT, "broken")
    assert health().since_ms == 3000


def test_a_reading_cannot_be_changed_afterwards() -> None:
    health = HealthRecord()
    health.set(State.READY, "fine", paper="ok")
    with pytest.raises(TypeError):
        cast("dict[str, str]", health().detail)["paper"] = "out"


def test_delays_grow_to_the_limit_and_start_again_after_a_success() -> None:
    backoff = Backoff(first_s=1, max_s=5, chance=lambda: 0.0)
    assert [backoff.next_s() for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next_s() == 1


def test_jitter_shortens_a_delay_by_at_most_a_quarter() -> None:
    assert Backoff(first_s=1, chance=lambda: 1.0).next_s() == 0.75
