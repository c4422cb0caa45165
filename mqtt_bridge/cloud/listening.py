"""Which topics one reconciler of several reads, and until when it reads what another has taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from mqtt_bridge.cloud.members import Membership, filters

# Subscriptions that moved to another member are kept for so long, because overlaps harm nothing and gaps cost time.
OVERLAP_MS = 2_500
NAMES_EVERY_MS = 5_000


class Subscriber(Protocol):
    """What subscriptions need of a ``transport.Transport``."""

    def subscribe(self, topic_filter: str) -> None: ...  # noqa: D102
    def unsubscribe(self, topic_filter: str) -> None: ...  # noqa: D102


class Listening:
    """The subscriptions of one member; ``devices`` returns the names of all devices, which are shared out among members."""

    def __init__(
        self, transport: Subscriber, org: str, membership: Membership, devices: Callable[[], Iterable[str]]
    ) -> None:
        self._transport, self._org, self._membership, self._devices = transport, org, membership, devices
        self._filters: frozenset[str] = frozenset()
        self._dropping: dict[str, int] = {}
        self._names_at_ms: int | None = None
        self._listens_as: tuple[str, ...] = ()

    def follow(self, now_ms: int) -> bool:
        """Subscribe to what is ours, and a little later not any more to what no longer is; tells whether the members changed."""
        changed = self._listens_as != self._membership.live
        if changed or self._names_due(now_ms):
            names = () if self._membership.alone else self._devices()
            wanted = filters(self._org, self._membership, names)
            for each in sorted(wanted - self._filters):
                if self._dropping.pop(each, None) is None:
                    self._transport.subscribe(each)
            self._dropping |= dict.fromkeys(self._filters - wanted, now_ms + OVERLAP_MS)
            self._filters, self._listens_as, self._names_at_ms = wanted, self._membership.live, now_ms
        for each in [name for name, at_ms in self._dropping.items() if at_ms <= now_ms]:
            del self._dropping[each]
            self._transport.unsubscribe(each)
        return changed

    def _names_due(self, now_ms: int) -> bool:
        return not self._membership.alone and now_ms - (self._names_at_ms or 0) >= NAMES_EVERY_MS
