"""The one composition root: settings in, running processes out. Everything below gets values and knows no settings."""

from __future__ import annotations

import gc
import hashlib
import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.machine import bound_to, secret
from appliance.services import sync
from appliance.services.box import Box, Identity, Unit
from appliance.services.clock import system_clock
from appliance.services.startup import prepare
from appliance.services.wake import Waiter, notify
from appliance.settings import Settings, SettingsError
from appliance.store.engine import open_database
from mqtt_bridge.edge import Names
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.protocol import topics

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from flask import Flask

    from appliance.web.seeing import SeenListener
    from mqtt_bridge.cloud.fleet_log import FleetLog
    from mqtt_bridge.cloud.verifier import Post
    from mqtt_bridge.database import Database
    from mqtt_bridge.relay import Relay
    from mqtt_bridge.transport import Tls, Transport

# unix(7): sun_path holds 108 bytes.
_LONGEST_SOCKET_PATH = 100
# Below this a full disk is near: no new holds, so that what is held, booked and scanned can still be written.
RESERVE_BYTES = 20_000_000
DESK_TURN_S = 0.001


def device_box(settings: Settings) -> Box:
    """Open the device's database (made or migrated if needed) and key, and return the box its use cases work in.

    Raises ``SettingsError`` unless ``device.name`` and ``device.venue`` are set.
    """
    require_device(settings)
    device = settings.device
    make_private(device.data)
    identity = Identity(device.org, device.venue, device.name)
    database = open_database(device.data / "marquee.db")
    signer = device_key(settings)
    board = device.board or bound_to()
    prepare(database, identity, secrets.token_bytes, signer, bound_to=board, wall_ms=wall_ms())
    return Box(
        database=database,
        clock=system_clock(settings.clock.mode),
        random=secrets.token_bytes,
        signer=signer,
        identity=identity,
        wake=lambda whom: notify(socket_path(device.data, whom)),
        has_room=lambda: shutil.disk_usage(device.data).free >= RESERVE_BYTES,
    )


def require_device(settings: Settings) -> None:
    """Raise ``SettingsError`` unless the settings say which device this is."""
    wanted = {
        "device.name": (settings.device.name, "name this device, e.g. hall-1"),
        "device.venue": (settings.device.venue, "name this device's venue by its id"),
    }
    missing = [f"{key}: is not set; {fix}" for key, (value, fix) in wanted.items() if not value]
    if missing:
        raise SettingsError(missing)


def device_key(settings: Settings) -> KeyFile:
    """The key that signs this device's receipts and messages, made if it is missing."""
    return KeyFile(settings.device.data / "device.pem")


def portal_app(settings: Settings, *, staff: bool = True) -> Flask:
    """Return the venue's pages and API, with or without the pages of staff."""
    from appliance.portal import WebSettings, create_app

    web = WebSettings(
        data=settings.device.data,
        leases_file=Path(settings.portal.leases_file) if settings.portal.leases_file else None,
        public_url=settings.portal.public_url,
        secure_url=settings.portal.secure_url,
        certificate=Path(settings.portal.certificate) if settings.portal.certificate else None,
        behind_proxy=settings.portal.behind_proxy,
        metrics_from=settings.portal.metrics_from,
        captive_hours=settings.portal.captive_hours,
        styleguide=settings.portal.styleguide,
        staff=staff,
        visits_told=bool(settings.portal.seen_socket),
        # However it is set: the other half of the threads is for everybody else.
        streams=min(settings.portal.streams, settings.portal.threads // 2),
    )
    return create_app(device_box(settings), web)


def console_app(settings: Settings, proxies: tuple[str, ...]) -> Flask:
    """Return the operator's pages; ``proxies`` are addresses of proxies in front, whose word counts about who asks."""
    from appliance.console import create_app

    return create_app(cloud_database(settings), settings.device.data, fleet_log=fleet_log(settings), proxies=proxies)


def portal_or_setup(settings: Settings, again: Callable[[], Settings], *, staff: bool = True) -> WSGIApplication:
    """Return the setup page until the device is set up, then the portal, by the settings that ``again`` reads then."""
    from appliance.setup import UntilSetUp, create_app

    data, portal = settings.device.data, settings.portal
    before = create_app(data, public_url=portal.public_url, behind_proxy=portal.behind_proxy)
    return UntilSetUp(data, before, lambda: portal_app(again(), staff=staff))


def serve(
    load: Callable[[], WSGIApplication],
    *,
    bind: str,
    workers: int,
    threads: int,
    scheme_from: str = "",
    tls: tuple[Path, Path] | None = None,
) -> int:
    """Serve an application with gunicorn until SIGTERM; it is loaded in each worker, after the fork.

    ``scheme_from`` are addresses of proxies in front, whose ``X-Forwarded-Proto`` counts; ``tls`` are certificate and key.
    """
    from appliance.web.server import Server

    # What is imported by now is memory that master and workers share, as long as no look for garbage writes into it.
    gc.collect()
    gc.freeze()
    Server(load, bind=bind, workers=workers, threads=threads, scheme_from=scheme_from, tls=tls).run()
    return 0


def authority_app(settings: Settings) -> Flask:
    """Return what devices enrol at, and begin to look after the authority's files. Its worker is the only one."""
    from appliance.authority import Handing, Offer, create_app, start_looking
    from mqtt_bridge.cloud.authority import Authority
    from mqtt_bridge.cloud.store import is_empty

    if is_empty(cloud_url(settings)):
        # Who knows the list of devices judges whether a database may be begun; this process need not see it.
        raise SettingsError(["cloud.database: no cloud began in it; start a reconciler, or put a backup back"])
    database, authority = cloud_database(settings), Authority(authority_folder(settings))
    start_looking(database, authority, *authority_hosts(settings))
    broker_url = settings.authority.broker_url or settings.broker.url
    # A public key in the settings spares this process the private one.
    key = settings.broker.cloud_key or cloud_key(settings).public_hex
    offer = Offer(broker_url, key)
    if files := portal_files(settings):
        offer = replace(offer, portal=Handing(settings.authority.portal_name, *files))
    return create_app(database, authority, offer)


def portal_files(settings: Settings) -> tuple[Path, Path] | None:
    """Certificate and key that devices are handed for their phones, None where there are none; raises ``SettingsError`` for half of it."""
    given = settings.authority
    wanted = {
        "authority.portal_name": (given.portal_name, "the name that the certificate is for"),
        "authority.portal_certificate": (given.portal_certificate, "the PEM file of it and of those that vouch for it"),
        "authority.portal_key": (given.portal_key, "the PEM file of its private key"),
    }
    missing = [
        f"{key}: is not set; write {fix}, or none of the three" for key, (value, fix) in wanted.items() if not value
    ]
    if 0 < len(missing) < len(wanted):
        raise SettingsError(missing)
    return None if missing else (Path(given.portal_certificate), Path(given.portal_key))


def authority_folder(settings: Settings) -> Path:
    """Where the authority's files are."""
    return Path(settings.authority.folder) if settings.authority.folder else settings.device.data / "authority"


def authority_hosts(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that the certificates of the authority's server and of the broker are for."""
    urls = settings.authority.url, settings.authority.broker_url or settings.broker.url
    server, broker = (urlsplit(url).hostname or "" for url in urls)
    own = (server, *settings.authority.hosts)
    local = urlsplit(settings.broker.url).hostname or ""
    return tuple(dict.fromkeys(each for each in own if each)), tuple(dict.fromkeys((broker, local)))


def run_desk(settings: Settings, stop: threading.Event) -> None:
    """Own the devices at the door until ``stop`` is set."""
    from appliance.desk.process import Addresses, Desk, LaneAddress

    desk = settings.desk
    lanes = (
        LaneAddress(desk.lane, desk.scanner, desk.lamp),
        LaneAddress(desk.lane_2, desk.scanner_2, desk.lamp_2),
        LaneAddress(desk.lane_3, desk.scanner_3),
    )
    addresses = Addresses(
        printer=desk.printer,
        printer_2=desk.printer_2,
        lanes=lanes,
        camera=desk.camera,
        modem=desk.modem,
        hotspot=hotspot_address(settings),
        messages_per_hour=desk.messages_per_hour,
        photo_hours=desk.photo_hours,
        memory=settings.device.data / "found.json",
        sim_tries=settings.device.data / "sim-tries.json",
    )
    # A lane waits for the interpreter at most this long while a stub is being laid out; by default it would be 5 ms.
    sys.setswitchinterval(DESK_TURN_S)
    Desk(device_box(settings), addresses).run(socket_path(settings.device.data, "desk"), stop)


def hotspot_address(settings: Settings) -> str:
    """The address of the access point with how many phones fit, which its own program does not say; empty where there is none."""
    from appliance.domain.hotspot import station_limit

    url = settings.desk.hotspot
    if not url.startswith("hostapd:") or "limit=" in url:
        return url
    try:
        base = Path(settings.hotspot.base).read_text("utf-8")
    except OSError:
        base = ""
    limit = station_limit(base, settings.hotspot.stations)
    return f"{url}{'&' if '?' in url else '?'}limit={limit}" if limit else url


def run_setup_desk(settings: Settings, stop: threading.Event) -> None:
    """Print what keeps this device from being one, until it is one or ``stop`` is set."""
    from appliance.desk.setup_slip import SetupDesk, printer_at

    address = settings.desk.printer
    SetupDesk(settings.device.data, printer_at(address) if address else None).run(stop)


def run_bridge(settings: Settings, stop: threading.Event) -> None:
    """Carry messages between this device and the cloud until ``stop`` is set."""
    box = device_box(settings)
    if settings.portal.seen_socket:
        _seen_listener(settings, box).start(stop)
    with closing(Waiter(socket_path(settings.device.data, "bridge"))) as waiter:
        relay(settings, box).run(stop, waiter.wait)


def _seen_listener(settings: Settings, box: Box) -> SeenListener:
    from appliance.web.keyring import KEY_FILE
    from appliance.web.leases import Leases
    from appliance.web.seeing import SeenListener
    from appliance.web.tokens import Tokens

    portal = settings.portal
    leases = Leases(Path(portal.leases_file) if portal.leases_file else None)
    return SeenListener(Path(portal.seen_socket), box, Tokens.from_file(settings.device.data / KEY_FILE), leases)


def relay(settings: Settings, box: Box) -> Relay[Unit]:
    """Return the (not started) relay of a device."""
    # Only who speaks to the broker has MQTT and certificates in memory; this module belongs to every process.
    from mqtt_bridge.relay import Relay, edge_transport

    broker = settings.broker
    if not broker.cloud_key:
        raise SettingsError(["broker.cloud_key: is not set; write the key that `marquee provision` printed"])
    names = Names(settings.device.org, settings.device.name, broker.cloud_key)
    username, password = _login(settings)
    transport = edge_transport(broker.url, names, tls=_tls(settings), username=username, password=password)
    return Relay(transport, names, box.run, box.look, sync)


# Objects that outlive their maker before Python looks for cycles among them; they are some megabytes.
CYCLES_EVERY = 100_000


def run_reconciler(settings: Settings, stop: threading.Event) -> None:
    """Keep the one inventory until ``stop`` is set; any number of them may run."""
    from mqtt_bridge.cloud import process

    _collect_rarely()
    transport = broker_client(settings, "cloud", ())
    # Only production's broker counts there; the embedded one hangs up on who asks.
    counters = broker_client(settings, "counters", [topics.DROPPED]) if is_production(settings) else None
    org = settings.device.org
    process.run_reconciler(cloud_database(settings), transport, cloud_key(settings), org, wall_ms, stop, counters)


def run_verifier(settings: Settings, stop: threading.Event) -> None:
    """Mail codes and verify pre-enrolments until ``stop`` is set; of several one works, the others wait."""
    from mqtt_bridge.cloud.mailing import Limits
    from mqtt_bridge.cloud.standing import standing_for
    from mqtt_bridge.cloud.verifier import Verifier
    from mqtt_bridge.cloud.verifier import run_verifier as run

    database = cloud_database(settings)
    try:
        standing = standing_for(settings.verifier.standing, database, wall_ms)
    except ValueError as error:
        raise SettingsError([f"verifier.standing: {error}"]) from None
    post = _post(settings, database)
    limits = Limits(per_hour=settings.verifier.mails_per_hour)
    name = secrets.token_hex(4)
    run(Verifier(database, name, post, standing, wall_ms, time.monotonic, secrets.token_bytes, limits), stop)


def _post(settings: Settings, database: Database) -> Post | None:
    """Return what hands mails in; None where no server is set."""
    from appliance.web import mail_words
    from mqtt_bridge.cloud import smtp
    from mqtt_bridge.cloud.catalogues import Catalogues
    from mqtt_bridge.cloud.mailing import Claimed
    from mqtt_bridge.cloud.sql import SqlStore
    from mqtt_bridge.cloud.work import Work

    given = settings.verifier
    if not given.smtp:
        return None
    if not given.sender:
        raise SettingsError(["verifier.sender: is not set; write the address that mails come from"])
    password = secret(given.password_file, "verifier.password_file") if given.password_file else ""
    server = smtp.Server.from_url(given.smtp, password)

    catalogues, store = Catalogues(), SqlStore(database)

    def post(mail: Claimed) -> smtp.Delivery:
        catalogue = store.look(lambda rows: catalogues.of(Work(rows)))
        link = f"{given.page_url}/prove/{mail.link}" if given.page_url and mail.link else ""
        wanted = mail_words.Wanted(mail.kind, mail.language, mail.booking, mail.event_session, mail.code, link)
        return smtp.send(server, smtp.message(given.sender, mail.contact, *mail_words.mail(wanted, catalogue)))

    return post


def _collect_rarely() -> None:
    """Look for garbage in cycles less often, and never again in what was imported.

    What a batch makes dies with its last reference, and looking for cycles among it costs more than a tenth of the work on it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(CYCLES_EVERY)


def wall_ms() -> int:
    """The wall clock in ms since the epoch."""
    return time.time_ns() // 1_000_000


def is_production(settings: Settings) -> bool:
    """Whether the broker is one that wants certificates, hence a Mosquitto on the shipped files."""
    return settings.broker.url.startswith("mqtts://")


def broker_client(settings: Settings, purpose: str, subscriptions: Iterable[str]) -> Transport:
    """Return a (not started) connection of this machine's identity under a client id of its own."""
    from mqtt_bridge.transport import Transport

    username, password = _login(settings)
    client = f"marquee-{settings.device.org}-{purpose}-{secrets.token_hex(4)}"
    return Transport(
        settings.broker.url, client, subscriptions, tls=_tls(settings), username=username, password=password
    )


def cloud_database(settings: Settings) -> Database:
    """Open the cloud's database, made or migrated if needed.

    Raises ``SettingsError`` for an empty database where devices were provisioned before: it would grant everything twice.
    """
    from mqtt_bridge.cloud.store import is_empty, open_cloud

    make_private(settings.device.data)
    url, log = cloud_url(settings), fleet_log(settings)
    if log.path.exists() and log.entries() and is_empty(url):
        raise SettingsError(
            [f"cloud.database: is empty, but {log.path} lists devices; put a backup back with `marquee restore`"]
        )
    return open_cloud(url)


def cloud_url(settings: Settings) -> str | Path:
    """Where the cloud's database is."""
    return settings.cloud.database or settings.device.data / "cloud.db"


def fleet_log(settings: Settings) -> FleetLog:
    """The list of devices that outlives the cloud's database."""
    from mqtt_bridge.cloud.fleet_log import FILE, FleetLog

    return FleetLog(Path(settings.cloud.fleet_log or settings.device.data / FILE))


def cloud_key(settings: Settings) -> KeyFile:
    """The key that signs what the cloud sends, made if it is missing."""
    make_private(settings.device.data)
    return KeyFile(Path(settings.cloud.key_file) if settings.cloud.key_file else settings.device.data / "cloud.pem")


def socket_path(data: Path, whom: str) -> Path:
    """Where ``desk`` or ``bridge`` of a device listens for being woken."""
    path = data.absolute() / "run" / f"{whom}.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"marquee-{os.getuid()}" / f"{digest}.sock"


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _tls(settings: Settings) -> Tls | None:
    if not is_production(settings):
        return None
    from mqtt_bridge.transport import Tls

    broker = settings.broker
    files = broker.ca, broker.certificate or None, broker.key or None
    if not settings.device.name:
        return Tls(*files)
    from appliance.services.certificates import earliest

    # A board without a battery wakes up years ago: its link must not wait for a time server.
    clock, data = system_clock(settings.clock.mode), settings.device.data
    return Tls(*files, earliest_ms=lambda: earliest(data, clock()))


def _login(settings: Settings) -> tuple[str | None, str | None]:
    broker = settings.broker
    if not broker.username:
        return None, None
    if not broker.password_file:
        return broker.username, None
    return broker.username, secret(broker.password_file, "broker.password_file")
