"""What the cloud needs, read from its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from appliance.bootstrap.cloud import fleet_log
from appliance.bootstrap.process import wall_ms
from appliance.doctor.device import engine_finding
from appliance.doctor.findings import Finding, fail, ok, warn
from appliance.settings import Settings
from mqtt_bridge.cloud import losses, migrations, store
from mqtt_bridge.cloud.copied import LATE_MS, copied_ms
from mqtt_bridge.cloud.overview import overview
from mqtt_bridge.database import Database

SHOWN = 5


def is_here(settings: Settings) -> bool:
    """Whether this machine is (also) the cloud: a database is named in the settings, or lies in the data folder."""
    return bool(settings.cloud.database) or _default(settings).exists()


def database(settings: Settings) -> Iterator[Finding]:
    """The engine and the schema."""
    with opened(settings) as found:
        if found is None:
            yield fail("database", "the cloud's database does not exist", "Start marquee reconciler once; it makes it.")
            return
        yield engine_finding(found)
        with found.read() as db:
            version = migrations.version(db)
        if version != migrations.HEAD:
            yield warn(
                "database",
                f"schema {version}, this version needs {migrations.HEAD}",
                "Start the reconciler: it migrates.",
            )


def catalogue(settings: Settings) -> Iterator[Finding]:
    """What is on sale everywhere."""
    with opened(settings) as found:
        if found is None:
            return
        with found.read() as db:
            document = store.current_catalogue(db)
    if document.version == 0:
        yield fail("catalogue", "none was imported", "Run marquee import FILE.")
    else:
        yield ok(
            "catalogue", f"version {document.version}: {len(document.events)} events at {len(document.venues)} venues"
        )


def alarms(settings: Settings) -> Iterator[Finding]:
    """What a person has to look at."""
    with opened(settings) as found:
        if found is None:
            return
        with found.read() as db:
            listed = store.alarms(db)
    for each in listed[:SHOWN]:
        yield warn("alarms", f"{each.kind} {each.subject} ({each.count} times): {each.detail}", "See the console.")
    if not listed:
        yield ok("alarms", "none")


def copies(settings: Settings) -> Iterator[Finding]:
    """Whether copies are still made of what the cloud cannot make again."""
    if not settings.cloud.copied:
        return
    made, now = copied_ms(Path(settings.cloud.copied)), wall_ms()
    if now - made <= LATE_MS:
        yield ok("copies", f"the last good one is of {_utc(made)}")
        return
    yield warn(
        "copies",
        f"the last good one is of {_utc(made)}" if made else "none was made yet",
        "Run sudo systemctl start marquee-backup; journalctl -u marquee-backup says what is in the way.",
    )


def fleet(settings: Settings) -> Iterator[Finding]:
    """The list of devices outside the database, and whether a restored cloud still waits for some of them."""
    with opened(settings) as found:
        if found is None:
            return
        missing = losses.still_missing(found)
        with found.read() as db:
            names = {each.name for each in overview(db, wall_ms()).devices}
    log = fleet_log(settings)
    unlisted = sorted(names - {each.device for each in log.entries()})
    if missing:
        yield warn(
            "fleet", f"restored, and not heard since: {', '.join(missing)}", "Wait for them or seal them, then confirm."
        )
    if unlisted:
        yield warn(
            "fleet",
            f"{log.path} does not list {', '.join(unlisted[:SHOWN])}",
            "Run marquee provision again for each: it is written down then.",
        )
    elif names:
        yield ok("fleet", f"{len(names)} devices are listed in {log.path} too")


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _default(settings: Settings) -> Path:
    return settings.device.data / "cloud.db"


@contextmanager
def opened(settings: Settings) -> Iterator[Database | None]:
    """Give the cloud's database, None where there is none yet."""
    where = settings.cloud.database or str(_default(settings))
    if "://" not in where and not Path(where).exists():
        yield None
        return
    found = Database(where)
    try:
        yield found
    finally:
        found.close()
