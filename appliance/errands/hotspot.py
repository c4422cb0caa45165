"""``marquee hotspot-config`` and ``uplink-config``: what the radios' programs are told at each start, from the settings of this device.

They run before hostapd and wpa_supplicant, as the user whose the settings are; what they write may hold a passphrase and is for that
user alone. Exit status of
``uplink-config``: 1 where no such way is wanted, which makes systemd leave its unit alone; 255 where it is wanted and wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from appliance.domain import airwaves, hotspot
from appliance.domain.airwaves import Span
from appliance.machine import bound_to, secret
from appliance.settings import Settings, SettingsError
from mqtt_bridge import durable

NOT_WANTED, WRONG = 1, 255


def hotspot_config(given: argparse.Namespace, settings: Settings) -> int:
    """Write the file for hostapd, and beside it which country the kernel is to hear of."""
    try:
        base = Path(settings.hotspot.base).read_text("utf-8")
    except OSError as error:
        return _complain([f"hotspot.base: {settings.hotspot.base} cannot be read ({error.strerror})"])
    wifi = wifi_of(settings)
    found = hotspot.problems(wifi, base, _countries(given.regulatory))
    if found:
        return _complain(found)
    name = hotspot.setup_name(bound_to())
    durable.write(given.out, hotspot.hostapd(base, wifi, name).encode())
    durable.write(given.out.with_name("country"), f"COUNTRY={wifi.country or airwaves.WORLD}\n".encode())
    print(
        f"{given.out}: {wifi.ssid or name}, {'WPA2' if wifi.passphrase else 'open'}, {wifi.country or 'no country yet'}"
    )
    return 0


def wifi_of(settings: Settings) -> hotspot.Wifi:
    """The device's own part; raises ``SettingsError`` where its passphrase cannot be read."""
    own = settings.hotspot
    passphrase = secret(own.passphrase_file, "hotspot.passphrase_file") if own.passphrase_file else ""
    return hotspot.Wifi(own.country, own.ssid, passphrase, own.channel, own.stations)


def uplink_config(given: argparse.Namespace, settings: Settings) -> int:
    """Write the file for wpa_supplicant or the modem's unit, if this device is to use that way."""
    own = settings.uplink
    wanted = own.wifi_ssid if given.way == "wifi" else own.modem_apn
    if not wanted:
        print(f"no {given.way} leads from this device to the internet")
        return NOT_WANTED
    try:
        told = _wifi_uplink(settings) if given.way == "wifi" else f"APN={wanted}\n"
        durable.write(given.out, told.encode())
    except SettingsError as error:
        _complain(error.problems)
        return WRONG
    except ValueError as error:
        _complain([str(error)])
        return WRONG
    return 0


def _wifi_uplink(settings: Settings) -> str:
    own = settings.uplink
    file = own.wifi_passphrase_file
    passphrase = secret(file, "uplink.wifi_passphrase_file") if file else ""
    return hotspot.wpa_supplicant(own.wifi_ssid, passphrase, settings.hotspot.country)


def _countries(file: Path) -> dict[str, tuple[Span, ...]]:
    """The kernel's list; empty where there is none, and then the kernel alone decides."""
    try:
        return airwaves.countries(file.read_bytes())
    except (OSError, airwaves.NoList) as error:
        print(f"hotspot-config: country and channel are not checked: {error}", file=sys.stderr)
        return {}


def _complain(problems: list[str]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1
