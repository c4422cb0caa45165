"""What a device needs to sell, admit and print, read from its rows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from appliance.desk.names import AUTO, NEEDED, addresses
from appliance.doctor.findings import Finding, fail, ok, warn
from appliance.domain.hardware import CAMERA_SCANNER, family, is_silent, remedy
from appliance.services.clock import system_clock
from appliance.settings import Settings
from appliance.store import device as rows
from appliance.store import documents, engine, jobs, records
from drivers import camera_for, hotspot_for, lamp_for, modem_for, printer_for, scanner_for
from drivers.errors import BadDeviceUrl, DeviceError
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.topics import CLOUD

OLD_OUTBOX_MS = 15 * 60_000
_DRIVERS: dict[str, Callable[[str], object]] = {
    "printer": printer_for,
    "scanner": scanner_for,
    "camera": camera_for,
    "lamp": lamp_for,
    "modem": modem_for,
    "hotspot": hotspot_for,
}
JOBS = 200


def database(settings: Settings) -> Iterator[Finding]:
    """The engine, how it is kept from the WAL-reset bug, and the schema."""
    with _open(settings) as db:
        if db is None:
            yield _missing(_path(settings))
            return
        yield engine_finding(db)
        with db.read() as connection:
            lack = engine.unfit(connection)
            sound = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if sound != "ok":
            yield fail(
                "database",
                f"{_path(settings)} is damaged: {sound}",
                "Stop the services, keep a copy, replace the device.",
            )
        if lack:
            yield warn(
                "database", f"schema {lack}", "Start the portal once: it migrates; a newer schema needs its program."
            )


def engine_finding(db: Database) -> Finding:
    """One line about a database's engine."""
    info: dict[str, Any] = db.engine_info()
    if info["engine"] != "sqlite":
        return ok("database", f"{info['engine']} {info['version']}")
    affected = "has the WAL-reset bug" if info["affected_by_wal_reset"] else "without the WAL-reset bug"
    words = (
        f"SQLite {info['version']} {affected}; mitigation: {info['mitigation']}; "
        f"journal {info['journal_mode']}, synchronous {info['synchronous']}"
    )
    if info["journal_mode"] != "wal" or info["synchronous"] not in {"FULL", "EXTRA"}:
        return fail("database", words, "Another program changed the file's settings; restart the services.")
    return ok("database", words)


def current_catalogue(settings: Settings) -> Catalogue:
    """The catalogue that this device has; an empty one where it has none."""
    with _reading(settings) as db:
        row = rows.find(db) if db is not None else None
        return documents.Cache().get(db, row.catalogue_version) if db is not None and row else Catalogue(0)


def catalogue(settings: Settings) -> Iterator[Finding]:
    """What is on sale."""
    with _reading(settings) as db:
        if db is None:
            return
        row = rows.find(db)
        document = documents.Cache().get(db, row.catalogue_version) if row else Catalogue(0)
        missing = document.images - documents.known_assets(db)
    if document.version == 0:
        yield fail("catalogue", "none has arrived yet", "Let the bridge reach the cloud, and run marquee import there.")
        return
    mine = sum(at.venue == settings.device.venue for event in document.events for at in event.sessions)
    yield ok("catalogue", f"version {document.version}: {len(document.events)} events, {mine} sessions at this venue")
    if missing:
        yield warn(
            "catalogue", f"{len(missing)} pictures have not arrived", "They come with the link; nothing waits for them."
        )


def link(settings: Settings) -> Iterator[Finding]:
    """The cloud, the outbox, and whether this device may sell."""
    with _reading(settings) as db:
        row = rows.find(db) if db is not None else None
        if db is None or row is None:
            return
        count, oldest_ms = SqlMail(db).backlog(CLOUD)
    age_ms = max(0, _now_ms() - (oldest_ms or _now_ms()))
    if row.frozen:
        yield fail(
            "link", "this device sells nothing until the cloud has spoken", "Let the bridge reach the cloud once."
        )
    words = f"{'up' if row.link_up else 'down'}, {count} messages unsynced"
    if count and age_ms > OLD_OUTBOX_MS:
        yield warn(
            "link",
            f"{words}, the oldest for {age_ms // 60_000} min",
            "Check that marquee bridge runs and reaches the broker.",
        )
    elif not row.link_up:
        yield warn("link", words, "Selling goes on from this device's allocation.")
    else:
        yield ok("link", words)


def _build(name: str, url: str, camera: str) -> None:
    """Build a device's driver without opening it; raises ``DeviceError``. The desk's own camera may be a scanner too."""
    if AUTO in {url, camera if url == CAMERA_SCANNER else ""}:
        return
    if url == CAMERA_SCANNER and camera:
        _DRIVERS["camera"](camera)
    else:
        _DRIVERS[family(name)](url)


def hardware(settings: Settings) -> Iterator[Finding]:
    """Each address, and what the desk last said of the device behind it."""
    wanted, now = addresses(settings), system_clock(settings.clock.mode)()
    with _reading(settings) as db:
        seen = {row.name: row for row in records.hardware_rows(db)} if db is not None else {}
    for name, url in wanted.items():
        if not url:
            if name in _DRIVERS:
                yield ok(name, "none is set up")
            continue
        try:
            _build(name, url, wanted["camera"])
        except BadDeviceUrl as error:
            yield fail(name, error.reason, f"Correct desk.{name} in the settings.")
            continue
        except DeviceError as error:
            yield fail(name, error.reason, error.remedy)
            continue
        row = seen.get(name)
        if row is None and url == AUTO and name not in NEEDED:
            yield ok(name, "found by itself when it is plugged in; none is")
        elif row is None or is_silent(now, row.seen_boot_id, row.seen_boot_ms):
            yield warn(name, "the desk has not said anything about it for a minute", "Start marquee desk.")
        elif row.state == "ready":
            yield ok(name, row.reason)
        else:
            fix = remedy(name, row.state) or "See the sentence; the desk goes on by itself afterwards."
            yield warn(name, f"{row.state} for {_lasting(now.wall_ms - row.since_ms)}: {row.reason}", fix)
    if wanted["printer_2"] and not wanted["printer"]:
        yield warn("printer_2", "it only takes what the first printer cannot", "Write its address as desk.printer.")
    for number in ("", "_2"):
        if wanted[f"lamp{number}"] and not wanted[f"scanner{number}"]:
            fix = f"Set desk.scanner{number} up, or take the lamp out."
            yield warn(f"lamp{number}", "its lane has no scanner, so it shows nothing", fix)


def spool(settings: Settings) -> Iterator[Finding]:
    """Print jobs that wait for paper or for a person."""
    with _reading(settings) as db:
        if db is None:
            return
        states = Counter(_spooled(row) for row in jobs.recent(db, JOBS))
    waiting, doubtful = states["waiting"], states["ambiguous"]
    if doubtful:
        yield warn(
            "spool", f"{doubtful} jobs may or may not be on paper", "Look at the paper; say so on the staff page."
        )
    if waiting:
        yield warn("spool", f"{waiting} jobs wait for a printer", "See the printer's line.")
    if not waiting and not doubtful:
        yield ok(
            "spool",
            f"nothing waits; {states['printed'] + states['sent']} of the last {sum(states.values())} jobs are on paper",
        )


def _spooled(row: Any) -> str:
    waits = row.state in {"queued", "sending"} or (row.state == "failed" and not row.given_up)
    return "waiting" if waits else str(row.state)


def _path(settings: Settings) -> Path:
    return settings.device.data / "marquee.db"


def _missing(path: Path) -> Finding:
    return fail("database", f"{path} does not exist", "Start marquee portal once; it makes the database.")


@contextmanager
def _open(settings: Settings) -> Iterator[Database | None]:
    """The database, not migrated; None if there is no file, which must not be made by looking."""
    if not _path(settings).exists():
        yield None
        return
    found = Database(_path(settings))
    try:
        yield found
    finally:
        found.close()


@contextmanager
def _reading(settings: Settings) -> Iterator[Connection | None]:
    with _open(settings) as found:
        if found is None:
            yield None
            return
        with found.read() as db:
            yield db


def _lasting(ms: int) -> str:
    return f"{ms // 1000} s" if ms < 120_000 else f"{ms // 60_000} min"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
