"""What runs at a venue: the box that its use cases work in, and the portal, the desk and the bridge around it."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.bootstrap.process import make_private, wall_ms
from appliance.bootstrap.wire import login, tls
from appliance.heart import pulse
from appliance.machine import bound_to
from appliance.services import sync
from appliance.services.box import Box, Identity, Unit
from appliance.services.clock import system_clock
from appliance.services.startup import prepare
from appliance.services.wake import Waiter, notify
from appliance.settings import Settings, SettingsError
from appliance.store.engine import open_database
from mqtt_bridge.edge import Names
from mqtt_bridge.keys import KeyFile

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from flask import Flask

    from appliance.web.seeing import SeenListener
    from mqtt_bridge.relay import Relay

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


def portal_or_setup(settings: Settings, again: Callable[[], Settings], *, staff: bool = True) -> WSGIApplication:
    """Return the setup page until the device is set up, then the portal, by the settings that ``again`` reads then."""
    from appliance.setup import UntilSetUp, create_app

    data, portal = settings.device.data, settings.portal
    before = create_app(data, public_url=portal.public_url, behind_proxy=portal.behind_proxy)
    return UntilSetUp(data, before, lambda: portal_app(again(), staff=staff))


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
    Desk(device_box(settings), addresses).run(socket_path(settings.device.data, "desk"), stop, pulse())


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
    SetupDesk(settings.device.data, printer_at(address) if address else None).run(stop, pulse())


def run_bridge(settings: Settings, stop: threading.Event) -> None:
    """Carry messages between this device and the cloud until ``stop`` is set."""
    # Of those who run here only this one tells what runs, as the slots' keeper shows it.
    from importlib.metadata import version

    from appliance.services.running import RunningWatch
    from appliance.slots import Keeper

    watch = RunningWatch(settings.device.data, Keeper().shown, version("marquee"))
    box = replace(device_box(settings), system=watch.look)
    if settings.portal.seen_socket:
        _seen_listener(settings, box).start(stop)
    with closing(Waiter(socket_path(settings.device.data, "bridge"))) as waiter:
        relay(settings, box).run(stop, waiter.wait, pulse())


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
    username, password = login(settings)
    transport = edge_transport(broker.url, names, broker.urls_before, tls(settings), username, password)
    return Relay(transport, names, box.run, box.look, sync)


def socket_path(data: Path, whom: str) -> Path:
    """Where ``desk`` or ``bridge`` of a device listens for being woken."""
    path = data.absolute() / "run" / f"{whom}.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"marquee-{os.getuid()}" / f"{digest}.sock"
