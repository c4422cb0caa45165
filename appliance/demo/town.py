"""The cloud and the venues of one demo: prepared in its folder, then started in the order in which they need each other."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from appliance.bootstrap.cloud import cloud_database, cloud_key, fleet_log
from appliance.bootstrap.process import make_private, wall_ms
from appliance.catalogue import keeping, read_catalogue
from appliance.demo import ports, shift
from appliance.demo.broker import BrokerChild
from appliance.demo.children import Family, MarqueeProcess
from appliance.demo.mailbox import Mailbox
from appliance.demo.venue import PROCESSES, DemoVenue, write_settings
from appliance.settings import CONFIG_VARIABLE, PREFIX, Settings, read_settings
from mqtt_bridge.cloud import store
from mqtt_bridge.cloud.standing import put_list, read_list
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.catalogue import Catalogue

EXAMPLE = Path(__file__).with_name("example") / "catalogue.yaml"
# Who is a member in the town, whatever is played.
MEMBERS = EXAMPLE.with_name("members.csv")
DEFAULT_VENUES = 2
# Memory is given back sooner by few arenas; a dozen processes share this machine.
_THRIFT = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}


class DemoRefused(Exception):
    """The demo cannot start; ``reasons`` say what to do."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = list(reasons)


class Kept(msgspec.Struct, frozen=True):
    """What a demo folder remembers between two starts; ``anchor_ms`` is when the example's first session begins."""

    org: str
    anchor_ms: int | None = None


class Town:
    """Everything that belongs to one demo. ``close`` after ``Family.stop``."""

    def __init__(self, folder: Path, base_port: int, broker: str | None) -> None:
        self.folder = folder
        self.base_port = base_port
        self.staff_token = secrets.token_urlsafe(24)
        self.operator_token = secrets.token_urlsafe(24)
        self.sign_ins: dict[str, str] = {}
        self.venues: list[DemoVenue] = []
        self.console_url = f"http://{ports.HOST}:{base_port + ports.CONSOLE}/"
        make_private(folder)
        self._kept = _remembered(folder / "demo.json")
        # What is mailed to guests arrives here, by real SMTP, and nowhere else.
        self.mailbox = Mailbox(ports.HOST)
        self._broker_child = BrokerChild(ports.any_free()) if broker is None else None
        self._broker = (
            _address(broker) if broker else (ports.HOST, self._broker_child.port if self._broker_child else 0)
        )
        self._cloud: Database | None = None
        self._cloud_config = folder / "cloud" / "settings.toml"

    def prepare(self, catalogue: Path | None, venues: int | None) -> None:
        """Import the catalogue, register the devices and let the tokens in.

        Raises ``DemoRefused``, ``CatalogueErrors`` or ``CatalogueRefused``; nothing runs yet.
        """
        cloud = self._prepare_cloud()
        database = cloud_database(cloud)
        read = self._import(database, catalogue)
        count = min(DEFAULT_VENUES, len(read.venues)) if venues is None else venues
        if count > len(read.venues):
            raise DemoRefused(f"the catalogue has {len(read.venues)} venues; use --venues {len(read.venues)} or fewer")
        now_ms = wall_ms()
        store.revoke_operator_tokens(database, now_ms)
        store.create_operator_token(database, self.operator_token, now_ms)
        put_list(database, read_list(MEMBERS.read_text("utf-8")), "demo", now_ms)
        key, log = cloud_key(cloud).public_hex, fleet_log(cloud)
        for k, each in enumerate(read.venues[:count], start=1):
            venue = DemoVenue(k, each, self.folder, self._broker, ports.of_venue(self.base_port, k))
            self.venues.append(venue)
            store.register_device(database, venue.device, each.id, now_ms, log)
            venue.prepare(self._kept.org, key, self.staff_token)
        self._cloud = database

    @property
    def cloud(self) -> Database:
        """The cloud's rows, for looking; known once prepared."""
        if self._cloud is None:
            raise RuntimeError("the town is not prepared yet")
        return self._cloud

    def start(self, family: Family) -> None:
        """Start broker, cloud and venues."""
        logs = self.folder / "logs"
        make_private(logs)
        if self._broker_child:
            family.add(self._broker_child)
        environment = _environment()
        self.mailbox.start()
        for process in ("reconciler", "verifier", "console"):
            family.add(MarqueeProcess("cloud", process, self._cloud_config, environment, logs))
        for venue in self.venues:
            for process in PROCESSES:
                family.add(MarqueeProcess(venue.venue.id, process, venue.config, environment, logs))

    def close(self) -> None:
        """Put hardware and links away."""
        self.mailbox.close()
        for venue in self.venues:
            venue.close()
        if self._cloud is not None:
            self._cloud.close()

    def _prepare_cloud(self) -> Settings:
        make_private(self._cloud_config.parent)
        host, port = self._broker
        write_settings(
            self._cloud_config,
            {
                "device": {"org": self._kept.org, "data": str(self._cloud_config.parent)},
                "broker": {"url": f"mqtt://{host}:{port}"},
                "console": {"bind": f"{ports.HOST}:{self.base_port + ports.CONSOLE}"},
                "verifier": {
                    "smtp": self.mailbox.url,
                    "sender": "tickets@brackwater.example",
                    "page_url": f"http://{ports.HOST}:{self.base_port}",
                },
            },
        )
        return read_settings(self._cloud_config, {})

    def _import(self, database: Database, path: Path | None) -> Catalogue:
        with database.read() as db:
            known = store.current_catalogue(db)
        hashed = keeping(known.staff, secrets.token_bytes)

        def noting(badge: str, pin: str) -> str:
            self.sign_ins[badge] = pin
            return hashed(badge, pin)

        read = read_catalogue(path or EXAMPLE, noting)
        ours = path is None or path.resolve().parent == EXAMPLE.parent
        catalogue = self._tonight(read.catalogue) if ours else read.catalogue
        assets = {each.sha256: (each.media_type, each.body) for each in read.assets}
        store.apply_catalogue(database, catalogue, assets, wall_ms())
        return catalogue

    def _tonight(self, example: Catalogue) -> Catalogue:
        anchor_ms = shift.anchor_ms(example, wall_ms(), self._kept.anchor_ms)
        if anchor_ms is None:
            return example
        self._kept = msgspec.structs.replace(self._kept, anchor_ms=anchor_ms)
        (self.folder / "demo.json").write_bytes(msgspec.json.encode(self._kept))
        return shift.shifted(example, anchor_ms)


def _remembered(path: Path) -> Kept:
    """A name of its own keeps demos apart that share a broker."""
    if path.exists():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Kept)
        except (msgspec.DecodeError, OSError) as error:
            raise DemoRefused(f"{path} cannot be read ({error}); use another --data folder") from None
    kept = Kept(f"demo-{secrets.token_hex(4)}")
    path.write_bytes(msgspec.json.encode(kept))
    return kept


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.scheme != "mqtt" or not parts.hostname or parts.username:
        raise DemoRefused(
            f"--broker {url!r} is not usable; write mqtt://host:port (links are cut by a proxy without TLS)"
        )
    return parts.hostname, parts.port or 1883


def _environment() -> dict[str, str]:
    """The children read their files; nothing of our own settings leaks into them."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX) and key != CONFIG_VARIABLE}
    return kept | _THRIFT
