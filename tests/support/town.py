"""Venues and their cloud as real processes on the production parts: Mosquitto with TLS and access list, PostgreSQL or SQLite.

Every process is a ``marquee`` command with settings of its own; between each of them and the broker runs a ``Wire`` that can be
cut or fall silent. Nothing is restarted by itself: a test kills and starts what it likes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.bootstrap.cloud import cloud_database, cloud_key
from appliance.bootstrap.process import make_private, wall_ms
from appliance.catalogue import keeping, read_catalogue
from appliance.demo.children import MarqueeProcess
from appliance.demo.venue import write_settings
from appliance.settings import PREFIX, read_settings
from mqtt_bridge.broker.mosquitto import RECONCILER
from mqtt_bridge.cloud import store
from mqtt_bridge.transport import Tls
from tests.mqtt_bridge.wire import Wire
from tests.support import postgresql
from tests.support.demo import wait_for
from tests.support.http import Answer, request
from tests.support.mosquitto import SecureBroker
from tests.support.ports import free_port

ORG = "town"
VENUES = ("hall", "yard")
PROCESSES = ("portal", "bridge")
CATALOGUE = """
venues:
  - {{id: hall, name: The Hall, address: 1 North Street}}
  - {{id: yard, name: The Yard, address: 2 South Street}}
events:
  - slug: night
    title: One Night
    summary: One room.
    sessions:
      - key: only
        venue: hall
        starts_at: "{starts}"
        ends_at: "{ends}"
        timezone: Europe/Berlin
        quotas: {{seats: {seats}}}
        ticket_types:
          - {{name: Seat, price: {{amount: "0.00", currency: EUR}}, quota: seats, policy: strict}}
limits: {{new_clients_per_minute: 100000, share_per_client: 1}}
staff:
  - {{badge: A7, name: Alex, pin: "2468"}}
"""


class Venue:
    """A device (``<name>-1`` unless named) of venue ``name``: its folder, settings, cable and processes."""

    def __init__(
        self, town: Town, name: str, folder: Path | None = None, board: str = "board", device: str = ""
    ) -> None:
        self.town = town
        self._token = ""
        self.name, self.device = name, device or f"{name}-1"
        self.folder = folder or town.folder / (device or name)
        make_private(self.folder)
        self.wire = Wire(town.broker.port)
        self.port = free_port()
        self.config = self.folder / "settings.toml"
        tls = town.broker.client(self.device)
        who = {"org": ORG, "venue": name, "name": self.device, "data": str(self.folder), "board": board}
        write_settings(
            self.config,
            {
                "device": {**who},
                "portal": {"bind": f"127.0.0.1:{self.port}"},
                "broker": {**_broker(f"mqtts://127.0.0.1:{self.wire.port}", tls), "cloud_key": town.cloud_key},
                "clock": {"mode": "trusted"},
            },
        )
        names = (*PROCESSES, "desk") if town.full else PROCESSES
        self.processes = {each: town.process(name, each, self.config, self.folder.name) for each in names}
        town.stack.callback(self.close)

    def start(self) -> Venue:
        """Start what does not run and wait until the portal answers."""
        for each in self.processes.values():
            if each.pid is None:
                each.start()
        return self

    def ready(self) -> Venue:
        """Wait until the device can sell."""
        wait_for(lambda: self.get("/readyz").status == 200, f"the portal of {self.name}", 40)
        return self

    def kill(self) -> None:
        """kill -9 of all of it at once: the plug."""
        for each in self.processes.values():
            each.kill()

    def image(self, to: Path) -> Path:
        """Copy the data folder as it is now, as an image of the card would be; nothing of it may run."""
        return Path(shutil.copytree(self.folder, to, ignore=shutil.ignore_patterns("run")))

    def restore(self, image: Path) -> None:
        """Put an earlier image in the place of the data folder."""
        shutil.rmtree(self.folder)
        shutil.copytree(image, self.folder)

    def twin(self, image: Path, board: str) -> Venue:
        """Return a second device that came up from an image, on the board given; it has a cable of its own."""
        return Venue(self.town, self.name, image, board)

    def life(self) -> str:
        """The incarnation of the database."""
        return str(self.rows("SELECT inc FROM device")[0][0])

    def close(self) -> None:
        """Stop for good."""
        self.kill()
        self.wire.close()

    def get(self, path: str) -> Answer:
        """Ask the portal."""
        return request("GET", f"http://127.0.0.1:{self.port}{path}", timeout_s=5)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """Ask the portal to do something; ``Idempotency_Key`` becomes the header of that name."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return request("POST", f"http://127.0.0.1:{self.port}{path}", body, headers=sent, timeout_s=10)

    def delete(self, path: str) -> Answer:
        """Ask the portal to undo something."""
        return request("DELETE", f"http://127.0.0.1:{self.port}{path}", timeout_s=10)

    def ticket_type(self) -> str:
        """The only type on sale."""
        events = self.get("/api/v1/events").json["events"]
        return str(events[0]["sessions"][0]["ticket_types"][0]["id"]) if events else ""

    def available(self) -> int:
        """Tickets this device can sell now."""
        items = self.get("/api/v1/availability").json["items"]
        return int(items[0]["available"]) if items else 0

    def hold(self, quantity: int = 1) -> Answer:
        """Claim tickets as a new client."""
        return self.post("/api/v1/holds", {"items": [{"ticket_type": self.ticket_type(), "quantity": quantity}]})

    def buy(self, quantity: int = 1) -> dict[str, Any]:
        """Book and return the order."""
        held = self.hold(quantity)
        assert held.status == 201, held
        order = self.post("/api/v1/orders", {"hold": held.json["hold"]})
        assert order.status == 201, order
        return dict(order.json)

    def refusal(self) -> str:
        """Why a hold for one ticket is refused (last word of the problem's type); empty if it is granted."""
        answer = self.hold()
        return "" if answer.status == 201 else str(answer.json["type"]).rsplit("/", 1)[-1]

    def scan(self, code: str) -> dict[str, Any]:
        """Scan a code at this venue's door and return the verdict."""
        seen = self.try_scan(code)
        assert seen.status == 200, seen
        return dict(seen.json)

    def try_scan(self, code: str) -> Answer:
        """Scan a code and return whatever came back."""
        return self.post("/api/v1/check-ins", {"code": code}, Authorization=f"Bearer {self.sign_in()}")

    def sign_in(self) -> str:
        """Return a staff token, asked for once."""
        if not self._token:
            signed_in = self.post("/api/v1/staff/tokens", {"badge": "A7", "pin": "2468"})
            assert signed_in.status == 201, signed_in
            self._token = str(signed_in.json["token"])
        return self._token

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the device's own rows without the product's help."""
        with closing(sqlite3.connect(f"file:{self.folder / 'marquee.db'}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def unsynced(self) -> int:
        """Messages in the outbox that the cloud has not acknowledged."""
        return int(self.rows("SELECT count(*) FROM outbox WHERE acked_at_ms IS NULL")[0][0])

    def linked(self) -> bool:
        """Whether the device believes that the cloud answers."""
        return bool(self.rows("SELECT link_up FROM device")[0][0])

    def issued(self) -> set[str]:
        """Tickets this device sold."""
        return {str(row[0]) for row in self.rows("SELECT id FROM ticket WHERE issuer = ?", self.device)}

    def log(self, process: str = "bridge") -> str:
        """What a process wrote."""
        return self.processes[process].log.read_text(errors="replace")


class Town:
    """A broker, a cloud and two venues; made by ``running``."""

    def __init__(
        self, folder: Path, stack: ExitStack, *, seats: int, server: postgresql.Server | None, full: bool = False
    ) -> None:
        self.folder, self.stack, self.seats, self.full = folder, stack, seats, full
        self.logs = folder / "logs"
        make_private(self.logs)
        self.broker = SecureBroker(ORG).start()
        stack.callback(self.broker.close)
        self.server = server
        self.operator = secrets.token_urlsafe(24)
        self.console_port = free_port()
        self.wire = Wire(self.broker.port)
        stack.callback(self.wire.close)
        self.config = self._cloud_settings()
        settings = read_settings(self.config, {})
        self.cloud_key = cloud_key(settings).public_hex
        opened = cloud_database(settings)
        catalogue = read_catalogue(self._catalogue(), keeping((), secrets.token_bytes)).catalogue
        now_ms = wall_ms()
        store.apply_catalogue(opened, catalogue, {}, now_ms)
        for name in VENUES:
            store.register_device(opened, f"{name}-1", name, now_ms)
        store.create_operator_token(opened, self.operator, now_ms)
        opened.close()
        self.cloud = {each: self.process("cloud", each, self.config) for each in ("reconciler", "console")}
        if full:
            self.cloud["second reconciler"] = self.process("cloud", "reconciler", self.config, "second")
        for each in self.cloud.values():
            stack.callback(each.kill)
        self.hall, self.yard = (Venue(self, name) for name in VENUES)

    @property
    def venues(self) -> tuple[Venue, Venue]:
        """Both venues; the hall is the door."""
        return self.hall, self.yard

    def process(self, place: str, name: str, config: Path, log: str = "") -> MarqueeProcess:
        """Return a (not started) command whose log is ``<place>-<name>.log``."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        logs = self.logs / log if log else self.logs
        make_private(logs)
        return MarqueeProcess(place, name, config, {**environment, "MALLOC_ARENA_MAX": "2"}, logs)

    def command(self, *words: str) -> str:
        """Run a ``marquee`` command with the cloud's settings and return what it said."""
        command = [sys.executable, "-m", "appliance.cli", "--config", str(self.config), *words]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def cloud_file(self) -> Path:
        """The cloud's database where it is SQLite."""
        return self.config.parent / "cloud.db"

    def kill_cloud(self) -> None:
        """kill -9 of reconciler and console; with SQLite its file then holds everything."""
        for each in self.cloud.values():
            each.kill()
        opened = cloud_database(read_settings(self.config, {}))
        opened.checkpoint()
        opened.close()

    def start_cloud(self) -> None:
        """Start reconciler and console and wait until the console answers."""
        for each in self.cloud.values():
            each.start()
        wait_for(self.stock, "the console", 30)

    def cloud_rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the cloud's rows without the product's help."""
        opened = cloud_database(read_settings(self.config, {}))
        try:
            with opened.read() as db:
                return [tuple(row) for row in db.exec_driver_sql(query)]
        finally:
            opened.close()

    def start(self) -> Town:
        """Start cloud and venues and wait until both venues have stock."""
        for each in self.cloud.values():
            each.start()
        for venue in self.venues:
            venue.start()
        for venue in self.venues:
            wait_for(venue.ready().available, f"stock at {venue.name}", 40)
        wait_for(self.stock, "the console", 20)
        return self

    def stock(self) -> dict[str, Any]:
        """The one quota as the console tells it."""
        url = f"http://127.0.0.1:{self.console_port}/api/v1/stock"
        answer = request("GET", url, headers={"Authorization": f"Bearer {self.operator}"})
        assert answer.status == 200, answer
        return dict(answer.json[0])

    def share(self, venue: Venue) -> dict[str, Any]:
        """One device's part of the quota."""
        return next(dict(each) for each in self.stock()["devices"] if each["device"] == venue.device)

    def sold(self) -> int:
        """Tickets sold and not cancelled that the cloud knows of."""
        return sum(int(each["sold"]) - int(each["cancelled"]) for each in self.stock()["devices"])

    def page(self, path: str) -> str:
        """An operator's page as text."""
        url = f"http://127.0.0.1:{self.console_port}{path}"
        return request("GET", url, headers={"Authorization": f"Bearer {self.operator}"}).body.decode()

    def alarms(self) -> set[str]:
        """Kinds of alarms in the cloud's rows."""
        opened = cloud_database(read_settings(self.config, {}))
        try:
            with opened.read() as db:
                return {each.kind for each in store.alarms(db)}
        finally:
            opened.close()

    def settled(self) -> bool:
        """Whether the cloud has counted everything that the venues sold, and says so to them."""
        issued = sum(len(venue.issued()) for venue in self.venues)
        return self.sold() == issued and not any(venue.unsynced() for venue in self.venues)

    def check(self) -> None:
        """Nothing is lost, nothing counted twice, nothing oversold, and the books balance."""
        wait_for(self.settled, "every sale in the cloud and empty outboxes", 60)
        stock = self.stock()
        out = sum(each["granted"] - each["returned"] + each["confirmed"] for each in stock["devices"])
        assert stock["pool"] + out == stock["limit"] + stock["extra"]
        tickets = [ticket for venue in self.venues for ticket in venue.issued()]
        assert len(tickets) == len(set(tickets))
        assert len(tickets) <= stock["limit"] + stock["extra"]

    def _catalogue(self) -> Path:
        now = datetime.now(UTC)
        starts, ends = (now + timedelta(hours=hours) for hours in (1, 4))
        path = self.folder / "catalogue.yaml"
        times = {"starts": starts.isoformat(timespec="seconds"), "ends": ends.isoformat(timespec="seconds")}
        path.write_text(CATALOGUE.format(seats=self.seats, **times))
        return path

    def _cloud_settings(self) -> Path:
        path = self.folder / "cloud" / "settings.toml"
        make_private(path.parent)
        write_settings(
            path,
            {
                "device": {"org": ORG, "data": str(path.parent)},
                "broker": _broker(f"mqtts://127.0.0.1:{self.wire.port}", self.broker.client(RECONCILER)),
                "console": {"bind": f"127.0.0.1:{self.console_port}"},
                "cloud": {"database": self.server.url if self.server else ""},
            },
        )
        return path


def _broker(url: str, tls: Tls) -> dict[str, object]:
    return {"url": url, "ca": tls.ca, "certificate": tls.certificate, "key": tls.key}


@contextlib.contextmanager
def running(folder: Path, *, seats: int = 60, server: bool = False, full: bool = False) -> Iterator[Town]:
    """A town that has stock at both venues; ``server`` gives its cloud PostgreSQL instead of SQLite.

    ``full`` adds a second reconciler and the venues' desks.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        database = postgresql.Server() if server else None
        if database is not None:
            stack.callback(database.close)
            database.start()
        town = Town(folder, stack, seats=seats, server=database, full=full)
        town.start()
        print(f"the town was ready after {time.monotonic() - began:.1f} s")
        yield town
