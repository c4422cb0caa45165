"""``marquee enrol``: gets this device its certificate, however long that takes; with ``--renew`` the next one, in its last third."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from appliance.domain.clock import Now
from appliance.domain.provisioning import Provisioning, ProvisioningError, read_provisioning
from appliance.domain.setup import WORDS, Setup, refused, settings_of, with_broker
from appliance.errands import handed
from appliance.services import certificates
from appliance.services import setting_up as files
from appliance.services.clock import system_clock
from appliance.settings import Settings, kinds
from appliance.stopping import stop_event
from mqtt_bridge import durable
from mqtt_bridge.enrolling import (
    CloudUnreachable,
    Enrolled,
    Refused,
    WrongAuthority,
    ask,
    checked,
    fetch_authority,
    last_third,
    load_or_make_key,
    request_for,
)

FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 60.0
# Somebody has to do something first; asking seldom is enough.
REFUSED_WAIT_S = 300.0
FILE_WAIT_S = 5.0


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Exit status 0: there is a certificate, or it was told to stop; 1: there is none (with ``--once``).

    With ``--renew`` 0: it is renewed, or not due yet; 1: it is due, and trying again may help; 2: nothing here can be renewed.
    """
    clock = system_clock(settings.clock.mode)
    if given.renew:
        return renew(settings, clock)
    enrolling = Enrolling(settings.device.data, clock, settings.portal.handed_folder)
    stop = stop_event(lambda: None)
    while not enrolling.done():
        wait_s = enrolling.attempt()
        if wait_s and given.once:
            return 1
        if wait_s and stop.wait(wait_s):
            return 0
    print("enrol: this device has a certificate")
    return 0


@dataclass
class Enrolling:
    """Attempts to enrol the device whose files are in ``data``; what comes of each is told to screen, page and printer.

    ``handed_folder`` is where a certificate that phones believe is kept, empty if none is wanted.
    """

    data: Path
    clock: Callable[[], Now]
    handed_folder: str = ""
    backoff_s: float = FIRST_WAIT_S

    def done(self) -> bool:
        """Whether there is nothing left to do: enrolled, and the token is gone."""
        if not files.is_enrolled(self.data):
            return False
        before = files.read_setup(self.data)
        if before is not None and before.pending:
            files.write_setup(self.data, replace(before, step="done", problems=()))
        durable.shred(self.data / files.COPY)
        return True

    def attempt(self) -> float:
        """Try once; return how long to wait before the next attempt (s), 0 after a good one."""
        try:
            given = read_provisioning((self.data / files.COPY).read_bytes())
        except FileNotFoundError:
            return FILE_WAIT_S
        except ProvisioningError as error:
            self._tell(Setup("bad_file", tuple(error.problems)))
            return REFUSED_WAIT_S
        told = Setup("waiting", (), given.name, given.venue, given.pin)
        try:
            key = load_or_make_key(self.data / "tls" / "device.key")
            ca = fetch_authority(given.url, given.ca)
            answer = ask(
                given.url, ca, request_for(key, given.name), given.token, certificates.earliest(self.data, self.clock())
            )
            found = checked(answer, key, given.name)
            portal = handed.keep(found.portal, self.handed_folder, self.data, self.clock())
            _keep(self.data, given, found, portal)
        except Refused as error:
            self._tell(replace(told, step=refused(error.reason), problems=(str(error),)))
            return REFUSED_WAIT_S
        except WrongAuthority as error:
            self._tell(replace(told, step="wrong_authority", problems=(str(error),)))
            return LONGEST_WAIT_S
        except CloudUnreachable as error:
            self._tell(replace(told, step="unreachable", problems=(str(error),)))
            return self._longer()
        return 0

    def _longer(self) -> float:
        """Twice as long each time, and not all devices at once after an outage."""
        wait_s, self.backoff_s = self.backoff_s, min(self.backoff_s * 2, LONGEST_WAIT_S)
        return wait_s * random.uniform(0.5, 1.0)

    def _tell(self, setup: Setup) -> None:
        if files.read_setup(self.data) != setup:
            print(f"enrol: {WORDS[setup.step][0]} {'; '.join(setup.problems)}", file=sys.stderr)
        files.write_setup(self.data, setup)


def _keep(data: Path, given: Provisioning, found: Enrolled, portal: tuple[str, str] | None) -> None:
    """The certificate first, then the settings that name it: with those it counts as enrolled."""
    files.write(data / "tls" / "ca.pem", found.ca)
    files.write(data / "tls" / "device.pem", found.certificate)
    broker = (found.broker_url, found.cloud_key)
    files.write(data / files.DEVICE, settings_of(given, str(data), broker, portal).encode())


def renew(settings: Settings, clock: Callable[[], Now]) -> int:
    """Get the next certificate for the same key, if the one there is in its last third; and, each time, what phones believe."""
    now = clock()
    certificates.remember(settings.device.data, now)
    status = _renew(settings, now)
    if status == 0:
        handed.ask_again(settings, now)
    return status


def _renew(settings: Settings, now: Now) -> int:
    broker, data = settings.broker, settings.device.data
    path = Path(broker.certificate)
    try:
        before = x509.load_pem_x509_certificate(path.read_bytes())
        key = load_or_make_key(Path(broker.key)) if Path(broker.key).exists() else None
    except (OSError, ValueError) as error:
        print(f"enrol: there is no certificate to renew ({error})", file=sys.stderr)
        return 2
    if key is None or not settings.authority.url:
        print("enrol: broker.key or authority.url is missing; nothing can be renewed", file=sys.stderr)
        return 2
    due, ends = last_third(before), before.not_valid_after_utc
    # A clock that is not trusted may be late and is hardly early: its own word counts unless it is impossible.
    at_ms = max(now.wall_ms, certificates.earliest(data, now) or 0)
    if datetime.fromtimestamp(at_ms / 1000, UTC) < due:
        print(f"enrol: the certificate is good until {ends:%Y-%m-%d}; it is renewed from {due:%Y-%m-%d} on")
        return 0
    try:
        name, ca = settings.device.name, Path(broker.ca).read_bytes()
        answer = ask(settings.authority.url, ca, request_for(key, name), "", certificates.earliest(data, now))
        found = checked(answer, key, name)
        files.write(path, found.certificate)
    except (Refused, WrongAuthority, CloudUnreachable, OSError) as error:
        print(f"enrol: not renewed, the certificate ends {ends:%Y-%m-%d}: {error}", file=sys.stderr)
        return 1
    print("enrol: the certificate is renewed")
    _follow(data / files.DEVICE, broker.url, found.broker_url)
    return 0


def _follow(path: Path, before: str, url: str) -> None:
    """Look for the broker where the authority says that it is now; only what the settings can hold is written, as a renewal must not end a device."""
    if url == before:
        return
    try:
        if not kinds.broker(url).startswith("mqtts://"):
            raise ValueError("an address without TLS is not taken from anybody")
        text = path.read_text("utf-8")
        if (wanted := with_broker(text, url)) != text:
            files.write(path, wanted.encode())
            print(f"enrol: the broker is at {url}, from the next boot on; should nobody answer there, at {before}")
    except (OSError, ValueError) as error:
        print(f"enrol: the broker is said to be at {url}, and {path} does not say so: {error}", file=sys.stderr)
