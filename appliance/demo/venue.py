"""One venue of the demo: its folder and settings, its simulated hardware, its link, and a look into its rows."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from pathlib import Path

from appliance import bootstrap
from appliance.demo import ports
from appliance.demo.link import Link
from appliance.domain.repeats import REPEAT_MS
from appliance.services import staff
from appliance.services.box import Box
from appliance.settings import Settings, read_settings
from appliance.store import records
from drivers.printer.server import SimulatedPrinterServer
from drivers.scanner.pty import PtyScanner
from mqtt_bridge.protocol.catalogue import Venue

DEMO_BADGE = "demo"
TOKEN_LIFE_S = 12 * 3600
# A demo folder may be carried to another machine; there is no second copy that could sell at the same time.
_BOARD = "demo"
_BLINK_S = 0.05
PROCESSES = ("portal", "desk", "bridge")


class DemoVenue:
    """Venue ``k`` (from 1) with device ``<venue>-1``; hardware and link live in the demo's process."""

    def __init__(self, k: int, venue: Venue, folder: Path, broker: tuple[str, int], port: int) -> None:
        self.k = k
        self.venue = venue
        self.device = f"{venue.id}-1"
        self.url = f"http://{ports.HOST}:{port}/"
        self.folder = folder / venue.id
        bootstrap.make_private(self.folder)
        self.config = self.folder / "settings.toml"
        self.link = Link(broker)
        self.printer = SimulatedPrinterServer()
        self.scanner = PtyScanner(self.folder / "scanner")
        self._bind = f"{ports.HOST}:{port}"
        self._box: Box | None = None
        self._holding = threading.Lock()
        self._held_up: dict[str, float] = {}

    def prepare(self, org: str, cloud_key: str, token: str) -> None:
        """Write the settings, make database and keys, and let ``token`` in."""
        self.printer.start()
        write_settings(self.config, self._settings(org, cloud_key))
        self._box = bootstrap.device_box(self.settings())
        self._box.run(lambda unit: records.drop_staff_tokens_of(unit.db, [DEMO_BADGE]))
        self._box.run(lambda unit: staff.grant_token(unit, token, DEMO_BADGE, "Demo", TOKEN_LIFE_S))

    def settings(self) -> Settings:
        """The settings as the venue's processes read them."""
        return read_settings(self.config, {})

    def hold_up(self, code: str) -> None:
        """Hold a code before the scanner, out of its sight for long enough before that it counts as another scan.

        Raises ``DeviceUnavailable`` when the scanner is unplugged or nobody reads it.
        """
        with self._holding:
            last_s = self._held_up.get(code, -math.inf)
            due_s = max(time.monotonic(), last_s + REPEAT_MS / 1000 + _BLINK_S)
            self._held_up[code] = due_s
        time.sleep(max(0.0, due_s - time.monotonic()))
        self.scanner.scan(code)

    @property
    def box(self) -> Box:
        """The rows of this venue; known once prepared."""
        if self._box is None:
            raise RuntimeError("the venue is not prepared yet")
        return self._box

    def close(self) -> None:
        """Put the hardware away."""
        self.link.close()
        self.printer.stop()
        with contextlib.suppress(OSError):
            self.scanner.close()
        if self._box is not None:
            self._box.database.close()

    def _settings(self, org: str, cloud_key: str) -> dict[str, dict[str, object]]:
        return {
            "device": {
                "org": org,
                "venue": self.venue.id,
                "name": self.device,
                "data": str(self.folder),
                "board": _BOARD,
            },
            "portal": {"bind": self._bind, "threads": 16},
            "broker": {"url": f"mqtt://{ports.HOST}:{self.link.port}", "cloud_key": cloud_key},
            "desk": {
                "printer": self.printer.url,
                "scanner": self.scanner.url,
                "camera": "sim://camera",
                "lane": "door",
            },
            # The demo's evening is tonight by this machine's clock, whether or not that is synchronised.
            "clock": {"mode": "trusted"},
        }


def write_settings(path: Path, sections: dict[str, dict[str, object]]) -> None:
    """Write a settings file; JSON's texts and numbers are TOML's."""
    parts = [
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in section.items())
        for name, section in sections.items()
    ]
    path.write_text("\n".join(parts), "utf-8")
