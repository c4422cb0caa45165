"""What hostapd and wpa_supplicant are told: the fleet's file and what belongs to one device, joined; and what is wrong with that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.domain.airwaves import CHANNELS_2_4, CHANNELS_5, WORLD, Span, allowed

SETUP_CHANNEL = 6
# Letters that nobody mistakes for another, read aloud or on paper, and no vowels: they never make a word.
_LETTERS = "BCDFGHKLMNPRSTVWX"


@dataclass(frozen=True, slots=True)
class Wifi:
    """The guests' Wi-Fi of one device; an empty ``passphrase`` means open, 0 that the fleet's file decides."""

    country: str
    ssid: str
    passphrase: str = ""
    channel: int = 0
    stations: int = 0


def setup_name(seed: str) -> str:
    """The Wi-Fi of a device that was not set up yet; the same at every start where ``seed`` is the same."""
    digest = hashlib.sha256(f"setup Wi-Fi of {seed}".encode()).digest()
    return "Marquee setup " + "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:4])


def value_of(text: str, key: str) -> str:
    """Return what a hostapd file says of ``key``; the last line wins, and none is an empty text."""
    found = ""
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() == key and not line.startswith("#"):
            found = value.strip()
    return found


def station_limit(base: str, stations: int) -> int:
    """How many phones may be on the Wi-Fi at once; 0 where neither the device nor the fleet's file says."""
    said = value_of(base, "max_num_sta")
    return stations or (int(said) if said.isdigit() else 0)


def problems(wifi: Wifi, base: str, countries: Mapping[str, tuple[Span, ...]]) -> list[str]:
    """What keeps a hotspot from starting with these, each with what to write instead; ``countries`` is empty where there is no list."""
    if not wifi.country and not wifi.ssid:
        return []
    found = []
    if not wifi.ssid:
        found.append("hotspot.ssid: is empty; write the name of the Wi-Fi that guests look for")
    if not wifi.country:
        found.append(
            "hotspot.country: is empty; write the two letters of the country this device stands in, such as DE"
        )
    elif countries and wifi.country not in countries:
        found.append(
            f"hotspot.country: {wifi.country!r} is no country that radios know; write its two letters, such as DE"
        )
    else:
        found += _channel_problems(wifi, base, countries.get(wifi.country))
    if wifi.passphrase and not _is_passphrase(wifi.passphrase):
        found.append(
            "hotspot.passphrase_file: its first line is no passphrase; write 8 to 63 letters, digits and signs of ASCII, or leave it empty"
        )
    return found


def _channel_problems(wifi: Wifi, base: str, rules: tuple[Span, ...] | None) -> list[str]:
    said = value_of(base, "channel")
    channel = wifi.channel or (int(said) if said.isdigit() else 0)
    may = allowed(rules) if rules is not None else (*CHANNELS_2_4, *CHANNELS_5)
    if channel in may:
        return []
    listed = ", ".join(str(each) for each in may)
    where = "hotspot.channel" if wifi.channel else "hotspot_channel of the role"
    return [f"{where}: a hotspot may not begin on channel {channel} in {wifi.country}; write one of {listed}"]


def _is_passphrase(text: str) -> bool:
    return 8 <= len(text) <= 63 and all(0x20 <= ord(each) < 0x7F for each in text)


def hostapd(base: str, wifi: Wifi, setup: str) -> str:
    """Return the whole file for hostapd: ``base`` without the lines that the device answers, then the device's.

    A device that knows no country yet is on the air as ``setup``, open, on a channel that is free for all everywhere.
    """
    if not wifi.country:
        return _joined(base, {"hw_mode": "g", "channel": str(SETUP_CHANNEL), **_name(setup)})
    mine = {"country_code": wifi.country, "ieee80211d": "1", **_name(wifi.ssid)}
    if wifi.channel:
        mine |= {"hw_mode": "g" if wifi.channel in CHANNELS_2_4 else "a", "channel": str(wifi.channel)}
    if wifi.stations:
        mine["max_num_sta"] = str(wifi.stations)
    if wifi.passphrase:
        mine |= {
            "wpa": "2",
            "wpa_key_mgmt": "WPA-PSK",
            "rsn_pairwise": "CCMP",
            "wpa_passphrase": wifi.passphrase,
        }
    return _joined(base, mine)


def _name(ssid: str) -> dict[str, str]:
    # In hex, so that no sign of it means anything to hostapd.
    return {"ssid2": ssid.encode().hex(), "utf8_ssid": "1"}


def _joined(base: str, mine: Mapping[str, str]) -> str:
    kept = [line for line in base.splitlines() if line.partition("=")[0].strip() not in mine]
    return "\n".join([*kept, "# Of this device.", *(f"{key}={value}" for key, value in mine.items()), ""])


def wpa_supplicant(ssid: str, passphrase: str, country: str) -> str:
    """Return the file for wpa_supplicant on the second radio: one network, looked for without end.

    Raises ``ValueError`` with what is wrong with the passphrase.
    """
    if passphrase and not _is_passphrase(passphrase):
        raise ValueError(
            "uplink.wifi_passphrase_file: its first line is no passphrase; write 8 to 63 letters, digits and signs of ASCII"
        )
    # In quotes everything up to the last one counts, so a quote within needs no sign before it.
    key = [f'psk="{passphrase}"', "key_mgmt=WPA-PSK"] if passphrase else ["key_mgmt=NONE"]
    network = [f"ssid={ssid.encode().hex()}", "scan_ssid=1", *key]
    head = ["ctrl_interface=/run/marquee-uplink", "update_config=0", *([f"country={country}"] if country else [])]
    return "\n".join([*head, "network={", *(f"\t{line}" for line in network), "}", ""])


__all__ = [
    "SETUP_CHANNEL",
    "WORLD",
    "Wifi",
    "hostapd",
    "problems",
    "setup_name",
    "station_limit",
    "value_of",
    "wpa_supplicant",
]
