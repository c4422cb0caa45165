"""One venue of the demo: its folder and settings, its simulated hardware, its link, and a look into its rows."""

from __future__ import annotations

import json
from pathlib import Path

from appliance.bootstrap.device import device_box
from appliance.bootstrap.process import make_private
from appliance.demo import ports
from appliance.demo.devices import DemoLamp, DemoPrinter, DemoScanner, Simulated, camera, hotspot, modem
from appliance.demo.link import Link
from appliance.services import staff
from appliance.services.box import Box
from appliance.settings import Settings, read_settings
from appliance.store import records
from mqtt_bridge.protocol.catalogue import Venue

DEMO_BADGE = "demo"
TOKEN_LIFE_S = 12 * 3600
# A demo folder may be carried to another machine; there is no second copy that could sell at the same time.
_BOARD = "demo"
LANES = ("door", "door 2")
PROCESSES = ("portal", "desk", "bridge")


class DemoVenue:
    """Venue ``k`` (from 1) with device ``<venue>-1``; hardware and link live in the demo's process."""

    def __init__(self, k: int, venue: Venue, folder: Path, broker: tuple[str, int], port: int) -> None:
        self.k = k
        self.venue = venue
        self.device = f"{venue.id}-1"
        self.url = f"http://{ports.HOST}:{port}/"
        # Browsers trust this machine's own name without a certificate: the pages with scripts are there.
        self.secure_url = f"http://localhost:{port}"
        self.folder = folder / venue.id
        make_private(self.folder)
        self.config = self.folder / "settings.toml"
        self.link = Link(broker)
        self.printer = DemoPrinter()
        self.scanners = tuple(DemoScanner(name, self.folder / name) for name in ("scanner", "scanner_2"))
        self.lamps = tuple(DemoLamp(name, self.folder) for name in ("lamp", "lamp_2"))
        self.camera = camera(self.folder)
        self.modem = modem(self.folder)
        self.hotspot = hotspot(self.folder)
        self._bind = f"{ports.HOST}:{port}"
        self._box: Box | None = None

    def prepare(self, org: str, cloud_key: str, token: str) -> None:
        """Write the settings, make database and keys, and let ``token`` in."""
        self.printer.start()
        write_settings(self.config, self._settings(org, cloud_key))
        self._box = device_box(self.settings())
        self._box.run(lambda unit: records.drop_staff_tokens_of(unit.db, [DEMO_BADGE]))
        self._box.run(lambda unit: staff.grant_token(unit, token, DEMO_BADGE, "Demo", TOKEN_LIFE_S))

    def settings(self) -> Settings:
        """The settings as the venue's processes read them."""
        return read_settings(self.config, {})

    @property
    def devices(self) -> tuple[Simulated, ...]:
        """Everything that can be broken here."""
        return (self.printer, *self.scanners, *self.lamps, self.camera, self.modem, self.hotspot)

    @property
    def box(self) -> Box:
        """The rows of this venue; known once prepared."""
        if self._box is None:
            raise RuntimeError("the venue is not prepared yet")
        return self._box

    def close(self) -> None:
        """Put the hardware away."""
        self.link.close()
        for each in self.devices:
            each.close()
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
            "portal": {"bind": self._bind, "threads": 16, "styleguide": True, "secure_url": self.secure_url},
            "broker": {"url": f"mqtt://{ports.HOST}:{self.link.port}", "cloud_key": cloud_key},
            "desk": {
                **{each.name: each.url for each in self.devices},
                **dict(zip(("lane", "lane_2"), LANES, strict=True)),
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
