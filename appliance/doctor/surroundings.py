"""What every machine of Marquee needs: disk, clock, broker, keys, certificates."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from appliance.bootstrap.wire import broker_client, is_production
from appliance.doctor.findings import Finding, fail, ok, warn
from appliance.services.certificates import judge
from appliance.services.clock import BUILT_AT_MS, system_clock
from appliance.settings import Settings
from mqtt_bridge.enrolling import last_third
from mqtt_bridge.protocol import topics
from mqtt_bridge.transport import NOT_YET, Message, Transport

LITTLE_BYTES, TOO_LITTLE_BYTES = 1_000_000_000, 100_000_000
CONNECT_S = 5.0
COUNTERS_S = 0.5
EXPIRES_SOON = timedelta(days=30)
# An enrolled device renews its own 30 days before the end.
RENEWED_BY = timedelta(days=20)
# One that the cloud hands out is renewed there, as a rule a month before its end; this device asks every few hours.
HANDED_SOON = timedelta(days=14)
_SECRETS = ("device.pem", "cloud.pem", "web.key", "marquee.db", "cloud.db")


def disk(settings: Settings, enough: int = TOO_LITTLE_BYTES) -> Iterator[Finding]:
    """Room for bookings; less than ``enough`` bytes is a failure."""
    folder = settings.device.data
    if not folder.is_dir():
        yield fail("disk", f"{folder} does not exist", "Start the portal once, or correct device.data.")
        return
    free = shutil.disk_usage(folder).free
    words = f"{free / 1e9:.1f} GB free at {folder}"
    if free < enough:
        yield fail("disk", words, "Free some space now: below 20 MB new bookings are refused.")
    elif free < LITTLE_BYTES:
        yield warn("disk", words, "Free some space before the next event.")
    else:
        yield ok("disk", words)


def clock(settings: Settings) -> Iterator[Finding]:
    """Whether the wall clock is believed."""
    now = system_clock(settings.clock.mode)()
    shown = datetime.fromtimestamp(now.wall_ms / 1000, UTC).isoformat(timespec="seconds")
    if now.trusted:
        why = "as the settings say" if settings.clock.mode == "trusted" else "synchronised"
        yield ok("clock", f"{shown}, {why}")
    else:
        yield warn(
            "clock",
            f"{shown} is not trusted",
            "Connect to a time server or a clock module. Until then open sale and door with the staff switches.",
        )


def broker(settings: Settings) -> Iterator[Finding]:
    """Whether the broker lets this machine in, and in the cloud whether it dropped messages."""
    counts = is_production(settings) and not settings.device.name
    topic = topics.DROPPED if counts else topics.down(settings.device.org, settings.device.name or topics.CLOUD, "ack")
    client = broker_client(settings, "doctor", [topic])
    began = time.monotonic()
    client.start()
    try:
        while not client.connected and client.error == NOT_YET and time.monotonic() - began < CONNECT_S:
            time.sleep(0.01)
        took_ms = (time.monotonic() - began) * 1000
        if client.connected:
            yield ok("broker", f"{settings.broker.url} lets us in after {took_ms:.0f} ms")
            yield from _dropped(client, topic)
        else:
            yield warn(
                "broker",
                f"{settings.broker.url} cannot be used: {client.error}",
                "Selling goes on without it. Check network, broker.url, certificates and the broker.",
            )
    finally:
        client.stop()


def _dropped(client: Transport, topic: str) -> Iterator[Finding]:
    """Mosquitto repeats its counters to who subscribes to them."""
    end = time.monotonic() + COUNTERS_S
    while (left_s := end - time.monotonic()) > 0:
        event = client.get(left_s)
        if isinstance(event, Message) and event.topic == topic and topic == topics.DROPPED:
            if event.payload not in {b"0", b""}:
                yield warn(
                    "broker",
                    f"it dropped {event.payload.decode(errors='replace')} messages since it started",
                    "Nothing is lost, senders repeat. If the number grows, something reads too slowly: start another reconciler.",
                )
            return


def keys(settings: Settings) -> Iterator[Finding]:
    """Whether secrets are readable by their owner only."""
    data = settings.device.data
    named = [
        Path(each) for each in (settings.broker.key, settings.broker.password_file, settings.cloud.key_file) if each
    ]
    here = [path for path in (*(data / name for name in _SECRETS), *named) if path.exists()]
    bad = [path for path in here if path.stat().st_mode & 0o077]
    if data.is_dir() and data.stat().st_mode & 0o077:
        yield fail("keys", f"{data} can be entered by others", f"Run chmod 700 {data}.")
    for path in bad:
        yield fail(
            "keys", f"{path} can be read by others", f"Run chmod 600 {path}; make a new key if others log in here."
        )
    for path in named:
        if not path.exists():
            yield fail("keys", f"{path} does not exist", "Correct the settings, or put the file there.")
    if not bad:
        yield ok("keys", f"{len(here)} secret files, readable by their owner only")


def certificate(settings: Settings) -> Iterator[Finding]:
    """Whether the certificates of a TLS connection are there and valid."""
    if settings.portal.secure_url:
        yield _portal_certificate(settings)
    if not is_production(settings):
        yield ok("certificate", "the connection to the broker uses none")
        return
    if settings.broker.ca:
        yield _certificate("broker.ca", Path(settings.broker.ca), EXPIRES_SOON)
    if settings.broker.certificate:
        soon = RENEWED_BY if settings.authority.url else EXPIRES_SOON
        yield _certificate(
            "broker.certificate", Path(settings.broker.certificate), soon, lambda it: renewal(settings, it)
        )


def renewal(settings: Settings, certificate: x509.Certificate) -> str:
    """What to do for this machine's next certificate: an enrolled device asks the cloud for it by itself, and there the authority sees to it."""
    if not settings.authority.url:
        return "Get a new one."
    if not settings.device.name:
        return "Start marquee authority: it renews it."
    due = last_third(certificate)
    when = f"from {due:%Y-%m-%d} on" if datetime.now(UTC) < due else "within a quarter of an hour"
    return (
        f"Let this device reach the cloud: it renews by itself {when}; marquee enrol --renew says what is in the way."
    )


def _portal_certificate(settings: Settings) -> Finding:
    portal, now = settings.portal, system_clock(settings.clock.mode)()
    path = Path(portal.certificate) if portal.certificate else None
    found = judge(path, portal.secure_url, now, settings.device.data)
    if not found.good:
        fix = "Get a new one; until then phones are not sent to HTTPS, and pages there show a warning."
        return fail("certificate", f"portal.certificate: {found.why}", fix)
    words = f"portal.certificate is valid until {datetime.fromtimestamp(found.until_ms / 1000, UTC):%Y-%m-%d}"
    soon, fix = EXPIRES_SOON, "Get a new one soon."
    if portal.handed_folder and path is not None and path.parent == Path(portal.handed_folder):
        soon, fix = HANDED_SOON, "Let this device reach the cloud; if it does, renew the certificate there."
    if found.until_ms / 1000 - time.time() < soon.total_seconds():
        return warn("certificate", words, fix)
    return ok("certificate", words)


def _certificate(
    key: str, path: Path, soon: timedelta, fix: Callable[[x509.Certificate], str] = lambda _: "Get a new one."
) -> Finding:
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return fail(
            "certificate",
            f"{key}: {path} is no readable PEM certificate",
            "Put the file there, or correct the settings.",
        )
    # A clock that stands still must not keep an expired certificate alive.
    now = max(datetime.now(UTC), datetime.fromtimestamp(BUILT_AT_MS / 1000, UTC))
    ends = found.not_valid_after_utc
    if ends <= now:
        return fail("certificate", f"{key} has expired on {ends:%Y-%m-%d}", fix(found))
    words = f"{key} is valid until {ends:%Y-%m-%d}"
    return warn("certificate", words, fix(found)) if ends - now < soon else ok("certificate", words)
