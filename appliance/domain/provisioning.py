"""The provisioning file: the one file that makes a card a particular device. Reading, checking and writing it, as text only.

TOML, see docs/enrolment.md for every key. It holds a token that works once, and the Wi-Fi's passphrase, so messages about it
name keys and never repeat what stands there.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from appliance.domain.countries import CODES
from mqtt_bridge.protocol import topics

LONGEST_BYTES = 16_384
PIN_PREFIX = "sha256:"
# IEEE 802.11: an SSID is 32 octets; WPA2 passphrases are 8 to 63 printable ASCII characters (IEEE 802.11i, H.4).
LONGEST_SSID_BYTES = 32
CHANNELS = (*range(1, 14), 36, 40, 44, 48)
# What hostapd can count; what a radio can is less, see docs/hotspot.md.
MOST_STATIONS = 2007
MOST_SSH_KEYS = 20
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_PIN_HASH = re.compile(r"scrypt\$\d{1,7}\$\d{1,3}\$\d{1,3}\$[0-9a-f]{32}\$[0-9a-f]{64}")
_SSH_KEY = re.compile(
    r"(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/=]{40,}( [ -~]*)?"
)
_APN = re.compile(r"[A-Za-z0-9.-]{1,100}")


class ProvisioningError(Exception):
    """The file cannot be used; ``problems`` are sentences that name the key and the fix, and repeat no value of it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Wifi:
    """The hotspot: ISO 3166 country, name, passphrase (empty: open), channel and number of phones (0: the fleet's)."""

    country: str
    ssid: str
    passphrase: str = ""
    channel: int = 0
    stations: int = 0


@dataclass(frozen=True, slots=True)
class Uplink:
    """How the device reaches the internet besides Ethernet: a Wi-Fi it joins, or a modem's access point name; empty: not so."""

    ssid: str = ""
    passphrase: str = ""
    apn: str = ""


@dataclass(frozen=True, slots=True)
class Provisioning:
    """Who the device is, where it enrols with what, its hotspot and uplink, the hash of its staff PIN, operators' SSH keys.

    ``url`` is the authority's, ``ca`` the SHA-256 (hex) of the authority's certificate. ``replace``: a device that is
    provisioned already becomes this one.
    """

    org: str
    name: str
    venue: str
    url: str
    ca: str
    token: str
    wifi: Wifi
    pin: str = ""
    uplink: Uplink = Uplink()
    ssh_keys: tuple[str, ...] = ()
    replace: bool = False


def read_provisioning(raw: bytes, *, as_model: bool = False) -> Provisioning:
    """Return what a provisioning file says; raises ``ProvisioningError`` with everything that is wrong at once.

    ``as_model``: another file is to say the same of the device; its part about the cloud will be a new one, and may be wrong here.
    """
    if len(raw) > LONGEST_BYTES:
        raise ProvisioningError([f"the file has more than {LONGEST_BYTES} bytes: it is none of ours"])
    try:
        # Some editors put a mark in front, and write their own line ends.
        document = tomllib.loads(raw.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        raise ProvisioningError(["the file is not UTF-8; save it again as UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        # Its words give line and column, and quote one character at most.
        raise ProvisioningError([f"the file is not TOML: {error}; text stands in quotes"]) from None
    return _Reader(document).provisioning(as_model=as_model)


class _Reader:
    """Takes values out of a document and collects what is wrong with them."""

    def __init__(self, document: Mapping[str, object]) -> None:
        self._document = document
        self._known: dict[str, list[str]] = {}
        self._problems: list[str] = []

    def provisioning(self, *, as_model: bool) -> Provisioning:
        text = self._text
        found = Provisioning(
            org=text("device.org", _name),
            name=text("device.name", _name),
            venue=text("device.venue", _name),
            replace=self._switch("device.replace"),
            url=text("cloud.url", _url),
            ca=text("cloud.ca", _ca),
            token=text("cloud.token", _token),
            wifi=Wifi(
                country=text("wifi.country", _country),
                ssid=text("wifi.ssid", _ssid),
                passphrase=text("wifi.passphrase", _passphrase, optional=True),
                channel=self._number(
                    "wifi.channel",
                    CHANNELS,
                    "is no channel of a hotspot; write 1 to 13, 36, 40, 44 or 48, or leave it out",
                ),
                stations=self._number(
                    "wifi.stations",
                    range(1, MOST_STATIONS + 1),
                    f"is no number of phones; write 1 to {MOST_STATIONS} without quotes, or leave it out",
                ),
            ),
            pin=text("staff.pin", _pin_hash, optional=True),
            uplink=Uplink(
                ssid=text("uplink.ssid", _ssid, optional=True),
                passphrase=text("uplink.passphrase", _passphrase, optional=True),
                apn=text("uplink.apn", _apn, optional=True),
            ),
            ssh_keys=self._ssh_keys("ops.ssh_keys"),
        )
        if found.uplink.passphrase and not found.uplink.ssid:
            self._problems.append("uplink.passphrase: belongs to no Wi-Fi; write uplink.ssid too, or leave it out")
        if found.uplink.ssid and found.uplink.ssid == found.wifi.ssid:
            self._problems.append("uplink.ssid: is the hotspot's own name; name the Wi-Fi that leads to the internet")
        self._unknown()
        if problems := [each for each in self._problems if not (as_model and each.startswith("cloud."))]:
            raise ProvisioningError(problems)
        return found

    def _value(self, key: str) -> object:
        section, _, name = key.partition(".")
        self._known.setdefault(section, []).append(name)
        content = self._document.get(section)
        return cast(Mapping[str, object], content).get(name) if isinstance(content, dict) else None

    def _text(self, key: str, check: Callable[[str], str], *, optional: bool = False) -> str:
        """``check`` returns the value as it is kept, or raises ``ValueError`` saying what to write."""
        value = self._value(key)
        if value is None or value == "":
            if not optional:
                self._problems.append(f"{key}: is missing; {_MISSING.get(key, 'write it')}")
            return ""
        if not isinstance(value, str) or any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
            self._problems.append(f"{key}: is not text on one line; write it in quotes")
            return ""
        try:
            return check(value)
        except ValueError as error:
            self._problems.append(f"{key}: {error}")
            return ""

    def _switch(self, key: str) -> bool:
        value = self._value(key)
        if value is not None and not isinstance(value, bool):
            self._problems.append(f"{key}: is neither true nor false; write it without quotes")
        return value is True

    def _number(self, key: str, allowed: Container[int], wrong: str) -> int:
        """Return a number of ``allowed``; 0 and none leave it to the device, anything else is ``wrong``."""
        value = self._value(key)
        if value is None:
            return 0
        if type(value) is int and (value == 0 or value in allowed):
            return value
        self._problems.append(f"{key}: {wrong}")
        return 0

    def _ssh_keys(self, key: str) -> tuple[str, ...]:
        value = self._value(key)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MOST_SSH_KEYS:
            self._problems.append(f'{key}: is not a list of at most {MOST_SSH_KEYS} keys; write ["ssh-ed25519 ..."]')
            return ()
        for number, each in enumerate(value, 1):
            if not isinstance(each, str) or not _SSH_KEY.fullmatch(each):
                self._problems.append(f"{key}: number {number} is no public key; write the line of a .pub file")
        return tuple(str(each) for each in value)

    def _unknown(self) -> None:
        for section, content in self._document.items():
            if section not in self._known:
                self._problems.append(f"{section}: is no section; {_nearest(section, list(self._known))}")
            elif not isinstance(content, dict):
                self._problems.append(f"{section}: is not a section; write [{section}] and key = value below it")
            else:
                for name in content:
                    if name not in self._known[section]:
                        close = _nearest(name, self._known[section])
                        self._problems.append(f"{section}.{name}: is no key of this file; {close}")


_MISSING = {
    "device.org": "write the organisation, as `marquee provision` does",
    "device.name": "name this device, such as hall-1",
    "device.venue": "write the id of its venue",
    "cloud.url": "write the address of the authority, such as https://cloud.example.org:8443",
    "cloud.ca": "write the fingerprint that `marquee provision` wrote",
    "cloud.token": "make one with `marquee provision ... --out FILE`",
    "wifi.country": "write two letters, such as DE: it decides which channels are allowed",
    "wifi.ssid": "name the hotspot",
}


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def _name(value: str) -> str:
    try:
        return topics.checked(value, "name")
    except ValueError:
        raise ValueError("is not a name; write 1 to 63 lower-case letters, digits, '.', '_' or '-'") from None


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        fits = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
        fits = fits and parts.path in {"", "/"} and not parts.query and not parts.fragment
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("is not the authority's address; write https://host:8443")
    return value.rstrip("/")


def _ca(value: str) -> str:
    if not value.startswith(PIN_PREFIX) or not re.fullmatch(r"[0-9a-f]{64}", value.removeprefix(PIN_PREFIX)):
        raise ValueError("is not a fingerprint; write sha256: and the 64 hex digits that `marquee provision` wrote")
    return value.removeprefix(PIN_PREFIX)


def _token(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError(
            "is not a token (43 letters and digits); make one with `marquee provision ... --renew-token --like OLD`"
        )
    return value


def _country(value: str) -> str:
    if value.upper() not in CODES:
        raise ValueError("is no country; write the two letters of ISO 3166, such as DE")
    return value.upper()


def _ssid(value: str) -> str:
    length = len(value.encode())
    if length > LONGEST_SSID_BYTES:
        raise ValueError(
            f"has {length} bytes; write at most {LONGEST_SSID_BYTES} (accents and such count twice or more)"
        )
    if value != value.strip():
        raise ValueError("begins or ends with a space, which nobody sees; leave it out")
    return value


def _passphrase(value: str) -> str:
    if not 8 <= len(value) <= 63 or not all(" " <= char <= "~" for char in value):
        raise ValueError(
            f"has {len(value)} characters; write 8 to 63 letters, digits and signs of a plain keyboard, or none for an open Wi-Fi"
        )
    return value


def _pin_hash(value: str) -> str:
    if not _PIN_HASH.fullmatch(value):
        raise ValueError("is not the hash of a PIN; have `marquee provision ... --staff-pin` make it")
    return value


def _apn(value: str) -> str:
    if not _APN.fullmatch(value):
        raise ValueError("is no access point name; write what the operator of the SIM card says, such as internet")
    return value


def as_toml(given: Provisioning) -> str:
    """Return the file; ``read_provisioning`` reads the same from it."""
    lines = [
        "# Marquee provisioning file. Put it on the card as provisioning.toml; it is deleted once the device has enrolled."
    ]

    def section(name: str, values: Mapping[str, str | int | bool | tuple[str, ...]]) -> None:
        said = {key: value for key, value in values.items() if value}
        if said:
            lines.extend(["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in said.items())])

    section("device", {"org": given.org, "name": given.name, "venue": given.venue, "replace": given.replace})
    section("cloud", {"url": given.url, "ca": PIN_PREFIX + given.ca, "token": given.token})
    wifi, uplink = given.wifi, given.uplink
    section(
        "wifi",
        {
            "country": wifi.country,
            "ssid": wifi.ssid,
            "passphrase": wifi.passphrase,
            "channel": wifi.channel,
            "stations": wifi.stations,
        },
    )
    section("staff", {"pin": given.pin})
    section("uplink", {"ssid": uplink.ssid, "passphrase": uplink.passphrase, "apn": uplink.apn})
    section("ops", {"ssh_keys": given.ssh_keys})
    return "\n".join(lines) + "\n"


def _toml(value: str | int | bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
