"""The certificate that phones believe: read from its files whenever a device asks, so that a renewed one needs no restart."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from appliance.services import handed
from mqtt_bridge.protocol.portal_pairs import PortalPair

_log = structlog.get_logger("authority")


@dataclass
class Handing:
    """Hands out what stands in ``certificate`` and ``key`` for ``name``, if phones would believe it."""

    name: str
    certificate: Path
    key: Path
    _said: str = ""
    _one: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, wall_ms: int) -> PortalPair | None:
        """Return what devices get at this time (ms since the epoch), else None; why is logged once for each reason."""
        try:
            pair, until_ms = handed.checked(handed.load(self.name, self.certificate, self.key), lambda _: wall_ms)
        except handed.Unusable as error:
            self._say(str(error), good=False)
            return None
        self._say(f"good until {datetime.fromtimestamp(until_ms / 1000, UTC):%Y-%m-%d}", good=True)
        return pair

    def _say(self, words: str, *, good: bool) -> None:
        with self._one:
            if words == self._said:
                return
            self._said = words
        if good:
            _log.info("portal.handed_out", name=self.name, what=words)
        else:
            _log.warning("portal.not_handed_out", name=self.name, why=words)
