"""The certificate that phones believe: read from its files whenever a device asks, so that a renewed one needs no restart."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from appliance.services import handed
from mqtt_bridge.protocol.portal_pairs import PortalPair, name_for

_log = structlog.get_logger("authority")


@dataclass
class Handing:
    """Hands out what stands in ``certificate`` and ``key`` for ``name``, if phones would believe it; a star in it is each device's name."""

    name: str
    certificate: Path
    key: Path
    _said: frozenset[tuple[bool, str]] = frozenset()
    _one: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, device: str, wall_ms: int) -> PortalPair | None:
        """Return what a device gets at this time (ms since the epoch), else None; why is logged once, until it is good again."""
        try:
            found = handed.load(name_for(self.name, device), self.certificate, self.key)
            pair, until_ms = handed.checked(found, lambda _: wall_ms)
        except handed.Unusable as error:
            self._say(str(error), good=False)
            return None
        self._say(f"good until {datetime.fromtimestamp(until_ms / 1000, UTC):%Y-%m-%d}", good=True)
        return pair

    def _say(self, words: str, *, good: bool) -> None:
        with self._one:
            if (good, words) in self._said:
                return
            before = frozenset() if good else frozenset(each for each in self._said if not each[0])
            self._said = before | {(good, words)}
        if good:
            _log.info("portal.handed_out", of=self.name, what=words)
        else:
            _log.warning("portal.not_handed_out", of=self.name, why=words)
