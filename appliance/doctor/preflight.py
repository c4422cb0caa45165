"""``marquee preflight``: is this box office ready for the event it hosts next? Before it, while there is time to do something.

Stricter than the doctor: what will fail during the event counts today, and so does what an evening can do without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cryptography import x509

from appliance.doctor import device, surroundings
from appliance.doctor.examination import guarded
from appliance.doctor.findings import Finding, fail, ok, warn
from appliance.settings import Settings
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession

# Orders, photos and logs of the largest evening are far less.
EVENING_BYTES = 500_000_000


class Date(NamedTuple):
    """The date that is next at this venue, or under way."""

    event: Event
    at: EventSession


def preflight(settings: Settings) -> Iterator[Finding]:
    """Every finding; a check that breaks is one, too."""
    if not settings.device.name:
        yield fail("event", "this is no venue's device", "Run it on the device at the door.")
        return
    catalogue = device.current_catalogue(settings)
    found = next_date(catalogue, settings.device.venue, time.time_ns() // 1_000_000)
    if found is None:
        yield fail("event", "no date of this venue is ahead", "Import one in the cloud; it comes with the link.")
    else:
        yield ok("event", _said(found))
        yield from _staff(catalogue, settings.device.venue)
        yield from _certificates(settings, found.at.ends_at_ms)
    checks: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("clock", lambda: surroundings.clock(settings)),
        ("link", lambda: _strict(device.link(settings), "Let the bridge reach the cloud until nothing waits.")),
        ("disk", lambda: surroundings.disk(settings, enough=EVENING_BYTES)),
        ("devices", lambda: device.hardware(settings)),
        ("spool", lambda: device.spool(settings)),
    )
    for name, check in checks:
        yield from guarded(name, check)


def next_date(catalogue: Catalogue, venue: str, now_ms: int) -> Date | None:
    """The first date at the venue that is not over and not called off."""
    dates = [
        Date(event, at)
        for event in catalogue.events
        for at in event.sessions
        if at.venue == venue and at.ends_at_ms > now_ms and not at.cancelled
    ]
    return min(dates, key=lambda each: each.at.starts_at_ms, default=None)


def _said(found: Date) -> str:
    begins = datetime.fromtimestamp(found.at.starts_at_ms / 1000, ZoneInfo(found.at.timezone))
    return f"{found.event.title}, {begins:%Y-%m-%d %H:%M} ({found.at.timezone})"


def _staff(catalogue: Catalogue, venue: str) -> Iterator[Finding]:
    here = [each.name for each in catalogue.staff if not each.venues or venue in each.venues]
    if here:
        yield ok("staff", f"{len(here)} may sign in here")
    else:
        yield fail("staff", "nobody may sign in here", "Add staff to the catalogue file and import it.")


def _certificates(settings: Settings, ends_ms: int) -> Iterator[Finding]:
    """Each must outlive the event, whatever today is."""
    phones = "Get a new one, from the cloud if that hands it out; without it phones have no HTTPS here."
    named: dict[str, tuple[str, Callable[[x509.Certificate], str]]] = {
        "broker.certificate": (settings.broker.certificate, lambda found: surroundings.renewal(settings, found)),
        "portal.certificate": (settings.portal.certificate, lambda _: phones),
    }
    for key, (file, fix) in named.items():
        if file:
            yield _outlives(key, Path(file), ends_ms, fix)


def _outlives(key: str, path: Path, ends_ms: int, fix: Callable[[x509.Certificate], str]) -> Finding:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        todo = "Put the file there, or correct the settings."
        return fail("certificate", f"{key}: {path} is no readable PEM certificate", todo)
    until = found.not_valid_after_utc
    words = f"{key} is valid until {until:%Y-%m-%d %H:%M} UTC"
    if until <= datetime.fromtimestamp(ends_ms / 1000, UTC):
        return fail("certificate", f"{words}, and the event ends later", fix(found))
    return ok("certificate", f"{words}, longer than the event")


def _strict(findings: Iterable[Finding], fix: str) -> Iterator[Finding]:
    """What the doctor finds tolerable is not before an event: messages that wait may be sales that the cloud does not know."""
    for each in findings:
        waits = each.check == "link" and each.state == "ok" and ", 0 messages" not in each.detail
        yield warn(each.check, each.detail, fix) if waits else each
