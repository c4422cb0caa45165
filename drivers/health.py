"""How a device is doing, as a frozen value that any thread may read."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Clock = Callable[[], float]
"""Seconds that only go forward, as `time.monotonic` gives them."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


class State(enum.Enum):
    """Where a device is in its life."""

    ABSENT = "absent"
    OPENING = "opening"
    READY = "ready"
    DEGRADED = "degraded"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Health:
    """One reading: `reason` is a sentence for a person, `since_ms` the monotonic time at which `state` began."""

    state: State
    reason: str
    since_ms: int
    detail: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


class HealthRecord:
    """The current `Health` of one device; `set` keeps `since_ms` while the state stays the same."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._health = Health(State.ABSENT, "Not opened yet.", self._now_ms())

    def __call__(self) -> Health:
        """The latest reading."""
        return self._health

    def set(self, state: State, reason: str, **detail: str) -> None:
        """Record that the device is in `state` because of `reason`."""
        with self._lock:
            same = state is self._health.state
            since_ms = self._health.since_ms if same else self._now_ms()
            self._health = Health(state, reason, since_ms, MappingProxyType(dict(detail)))

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
