"""Whether this device is set up and keeps its certificate, and whether the cloud's authority and verifier do their work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from appliance.bootstrap.cloud import authority_folder, portal_files
from appliance.bootstrap.process import wall_ms
from appliance.doctor.cloud import opened
from appliance.doctor.findings import Finding, fail, ok, warn
from appliance.doctor.surroundings import HANDED_SOON
from appliance.domain.certificates import objection
from appliance.domain.setup import WORDS
from appliance.services import certificates, handed
from appliance.services import setting_up as files
from appliance.settings import Settings, SettingsError
from mqtt_bridge.cloud.authority import LIST_AGE
from mqtt_bridge.cloud.enrolments import number_of_devices
from mqtt_bridge.cloud.verification_view import alive_ms, number_pending
from mqtt_bridge.enrolling import last_third
from mqtt_bridge.protocol.portal_pairs import STAR, name_for

# The timer looks every few hours: what it did not do in a week it does not do by itself.
OVERDUE = timedelta(days=7)
SILENT_MS = 60_000


def device(settings: Settings) -> Iterator[Finding]:
    """How far first boot and enrolment are; nothing where a device was set up by hand."""
    data = settings.device.data
    setup = files.read_setup(data)
    if setup is not None and setup.pending:
        what, todo = WORDS[setup.step]
        yield fail("enrolment", " ".join((what, *setup.problems)), todo)
        return
    if setup is not None and (data / files.COPY).exists():
        yield warn(
            "enrolment", f"{data / files.COPY} still holds the token", "Restart marquee-enrol.service: it removes it."
        )
    elif setup is not None:
        yield ok("enrolment", f"enrolled as {settings.device.name}")
    if settings.authority.url and settings.broker.certificate:
        yield from _renewal(Path(settings.broker.certificate))


def _renewal(path: Path) -> Iterator[Finding]:
    found = _certificate(path)
    if found is None:
        yield fail(
            "enrolment", f"{path} is no readable certificate", "Run marquee enrol --renew and read what it says."
        )
        return
    now, ends = datetime.now(UTC), found.not_valid_after_utc
    if now > last_third(found) + OVERDUE:
        yield warn(
            "enrolment",
            f"the certificate should have been renewed by now and {'ends' if now < ends else 'ended'} {ends:%Y-%m-%d}",
            "Run marquee enrol --renew and read what it says.",
        )


def authority(settings: Settings) -> Iterator[Finding]:
    """The authority's own certificates and its revocation list; nothing on a machine that has none."""
    folder = authority_folder(settings)
    if not (folder / "ca.pem").exists():
        return
    now = datetime.now(UTC)
    fine = True
    for name in ("ca.pem", "server.pem", "broker/broker.pem", "client/reconciler.pem"):
        found = _certificate(folder / name)
        if found is None or found.not_valid_after_utc <= now:
            fine = False
            yield fail(
                "authority", f"{folder / name} is missing or has ended", "Run marquee authority init, as its owner."
            )
    try:
        revoked = x509.load_pem_x509_crl((folder / "broker" / "revoked.pem").read_bytes())
    except (OSError, ValueError):
        yield fail(
            "authority", "there is no revocation list that can be read", "Start marquee authority: it writes one."
        )
        return
    ends = revoked.next_update_utc or now
    if ends <= now:
        yield fail(
            "authority", "the revocation list has run out: the broker refuses everybody", "Start marquee authority."
        )
    elif now - revoked.last_update_utc > 2 * LIST_AGE:
        yield warn(
            "authority",
            f"the revocation list is from {revoked.last_update_utc:%Y-%m-%d} and runs out {ends:%Y-%m-%d}",
            "Start marquee authority: it writes one every day.",
        )
    elif fine:
        yield ok("authority", f"{len(list(revoked))} certificates revoked; the list is good until {ends:%Y-%m-%d}")


def handed_out(settings: Settings) -> Iterator[Finding]:
    """The certificate for phones that devices are handed; nothing where there is none."""
    name = settings.authority.portal_name
    fix = "Put a new one there; docs/operations.md says how (HTTPS that phones believe)."
    try:
        pair = portal_files(settings)
        if pair is None:
            return
        until_ms, whole = _ends(name, *pair)
    except SettingsError as error:
        yield fail("phones", "; ".join(error.problems), "Correct the settings: marquee authority does not start so.")
        return
    except (handed.Unusable, OSError, ValueError) as error:
        yield fail("phones", f"devices are handed no certificate for {name}: {error}", fix)
        return
    until = datetime.fromtimestamp(until_ms / 1000, UTC)
    words = f"the certificate for {name} that devices are handed is good until {until:%Y-%m-%d}"
    if until - datetime.now(UTC) < HANDED_SOON:
        yield warn("phones", words, fix)
    else:
        yield ok("phones", words if whole else f"{words}; this account may not read its key")
    if not name.startswith(STAR) and (devices := _devices(settings)) > 1:
        yield warn(
            "phones",
            f"{devices} devices share the name {name}: what phones keep of one venue they take for another's",
            f"Get a certificate for *.{name}; docs/operations.md says how (HTTPS that phones believe).",
        )


def _devices(settings: Settings) -> int:
    with opened(settings) as found:
        if found is None:
            return 0
        with found.read() as db:
            return number_of_devices(db)


def _ends(name: str, certificate: Path, key: Path) -> tuple[int, bool]:
    """When it ends (ms since the epoch), and whether the key was looked at, which is for the authority's account alone."""
    name = name_for(name, "any")
    if os.access(key, os.R_OK) or not key.exists():
        return handed.checked(handed.load(name, certificate, key), lambda _: wall_ms())[1], True
    found = certificates.read(certificate)
    if why := objection(found, name, wall_ms()):
        raise handed.Unusable(f"phones would not believe the certificate: {why}")
    return found.not_after_ms, False


def verifier(settings: Settings) -> Iterator[Finding]:
    """Whether somebody verifies pre-enrolments where some wait."""
    with opened(settings) as found:
        if found is None:
            return
        with found.read() as db:
            waiting, heard_ms = number_pending(db), alive_ms(db)
    silent = heard_ms is None or wall_ms() - heard_ms > SILENT_MS
    if waiting and silent:
        yield fail("verifier", f"{waiting} orders wait to be verified and nobody does it", "Start marquee verifier.")
    elif silent:
        yield ok("verifier", "none runs, and no order waits for one")
    else:
        yield ok("verifier", f"runs; {waiting} orders wait to be verified")


def _certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
