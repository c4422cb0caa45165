"""``marquee provision``: registers a device and prints its settings, or writes the one file that makes a card that device."""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
from dataclasses import replace as changed
from pathlib import Path
from typing import TypeVar

from appliance.bootstrap.cloud import authority_folder, cloud_database, cloud_key, fleet_log
from appliance.bootstrap.process import wall_ms
from appliance.domain.pins import SALT_BYTES, hash_pin
from appliance.domain.provisioning import Provisioning, ProvisioningError, Uplink, Wifi, as_toml, read_provisioning
from appliance.errands.commands import guarded, replace
from appliance.settings import Settings
from mqtt_bridge import durable
from mqtt_bridge.cloud.authority import AuthorityError, fingerprint
from mqtt_bridge.cloud.enrolments import make_token
from mqtt_bridge.cloud.store import DirectoryRefused, register_device

# Given instead of a secret: ask for it, so that neither the list of processes nor the shell's history has it.
ASK = "-"
# Stands in the place of the token while the rest is checked.
_NO_TOKEN = "0" * 43
Value = TypeVar("Value", str, int)


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Exit status as in ``cli``. Nothing is registered before everything that was given is known to be good."""
    draft = None
    if given.out is None and (given.renew_token or given.like is not None):
        return _complain(
            ["--renew-token and --like are about a provisioning file; say where to write it with --out FILE"]
        )
    if given.out is not None:
        try:
            draft = _draft(given, settings)
        except (ProvisioningError, AuthorityError, OSError, ValueError) as error:
            return _complain(str(error).splitlines())
    if given.replaces:
        status = guarded(replace)(given, settings)
        if status:
            return status
    database, now_ms = cloud_database(settings), wall_ms()
    try:
        new = register_device(database, given.device, given.venue, now_ms, fleet_log(settings))
        if draft is not None:
            token = make_token(database, given.device, now_ms, days=given.days, renew=given.renew_token)
            return _write(given.out, changed(draft, token=token), given.days)
    except DirectoryRefused as error:
        return _complain([str(error)])
    print(f"# {'registered' if new else 'was registered before'}; settings of the device:")
    print(f'[device]\norg = "{settings.device.org}"\nname = "{given.device}"\nvenue = "{given.venue}"')
    print(f'[broker]\nurl = "{settings.broker.url}"\ncloud_key = "{cloud_key(settings).public_hex}"')
    return 0


def _draft(given: argparse.Namespace, settings: Settings) -> Provisioning:
    """Return the file without its token; raises ``ProvisioningError`` and others with what to do."""
    out: Path = given.out
    if out.exists() and not given.renew_token:
        raise ValueError(f"{out} exists already; name another file, or say --renew-token to replace it")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out.absolute().parent} is no folder")
    if not settings.authority.url:
        raise ValueError("authority.url is not set; set it to where devices reach `marquee authority`")
    before = _model(given.like)
    passphrase = _secret(given.passphrase, "passphrase of the hotspot")
    pin = _secret(given.staff_pin, "PIN of the setup page")
    if pin:
        if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
            raise ValueError("--staff-pin is not 4 to 12 digits")
        pin = hash_pin(pin, secrets.token_bytes(SALT_BYTES))
    wifi = Wifi(
        country=_either(given.country, before.wifi.country),
        ssid=_either(given.ssid, before.wifi.ssid) or given.venue,
        passphrase=_either(passphrase, before.wifi.passphrase),
        channel=_either(given.channel, before.wifi.channel),
        stations=_either(given.stations, before.wifi.stations),
    )
    drafted = Provisioning(
        org=settings.device.org,
        name=given.device,
        venue=given.venue,
        url=settings.authority.url,
        ca=fingerprint(authority_folder(settings)),
        token=_NO_TOKEN,
        wifi=wifi,
        pin=_either(pin, before.pin),
        uplink=_uplink(given, before.uplink),
        ssh_keys=tuple(file.read_text("utf-8").strip() for file in given.ssh_key) or before.ssh_keys,
        replace=given.replace or before.replace,
    )
    return read_provisioning(as_toml(drafted).encode())


def _model(file: Path | None) -> Provisioning:
    """Return what the file says that the new one is to be like; without one nothing is said."""
    if file is None:
        return Provisioning("", "", "", "", "", "", Wifi("", ""))
    try:
        return read_provisioning(file.read_bytes(), as_model=True)
    except OSError as error:
        msg = f"--like: {file} cannot be read ({error.strerror}); copy it to where this command may read it"
        raise ValueError(msg) from None
    except ProvisioningError as error:
        raise ProvisioningError([f"--like: {file}: {each}" for each in error.problems]) from None


def _either(given: Value | None, before: Value) -> Value:
    return before if given is None else given


def _uplink(given: argparse.Namespace, before: Uplink) -> Uplink:
    ssid = _either(given.uplink_ssid, before.ssid)
    # The passphrase of one Wi-Fi is none of another's.
    known = before.passphrase if ssid == before.ssid else ""
    passphrase = _either(_secret(given.uplink_passphrase, "passphrase of the uplink"), known)
    return Uplink(ssid, passphrase, _either(given.apn, before.apn))


def _secret(given: str | None, what: str) -> str | None:
    """Return what was given; for ``ASK`` what is typed without being shown, or the next line of what is piped in."""
    if given != ASK:
        return given
    if sys.stdin.isatty():
        return getpass.getpass(f"{what}: ")
    return sys.stdin.readline().rstrip("\n")


def _write(out: Path, written: Provisioning, days: int) -> int:
    try:
        durable.write(out, as_toml(written).encode())
    except OSError as error:
        return _complain([f"{out} could not be written ({error.strerror}); say it again with --renew-token"])
    print(f"{out}: makes a card {written.name} of {written.venue}; its token works once, within {days} days")
    print(f"put it on the card as provisioning.toml; hotspot {written.wifi.ssid!r}, {written.wifi.country}")
    return 0


def _complain(problems: list[str]) -> int:
    for problem in problems:
        print(f"provision: {problem}", file=sys.stderr)
    return 1
