"""What the value of a setting may be: each function takes what TOML or a variable gave, and returns it as the program wants it.

They raise ``ValueError`` with words that follow the key: what is wrong with it, and what to write instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.portal_pairs import STAR, is_public_name
from mqtt_bridge.protocol.proofs import mail_of

Kind = Callable[[object], object]
# unix(7): sun_path holds 108 bytes.
_LONGEST_SOCKET = 100 + len("unix:")
# IEEE 802.11: an SSID has at most 32 octets.
WIFI_NAME_BYTES = 32
_ADDRESS = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})$")


def text(raw: object) -> str:
    """Any text on one line."""
    if not isinstance(raw, str) or any(ord(char) < 0x20 for char in raw):
        raise ValueError("is not text on one line; write it in quotes")
    return raw


def label(raw: object) -> str:
    """A short name that people see."""
    value = text(raw).strip()
    if not 1 <= len(value) <= 40:
        raise ValueError("is not a label; write 1 to 40 characters")
    return value


def name(raw: object) -> str:
    """A name that can stand in a topic."""
    try:
        return topics.checked(text(raw), "name")
    except ValueError:
        raise ValueError(
            "is not a name; write 1 to 63 lower-case letters, digits, '.', '_' or '-', starting with a letter or digit"
        ) from None


def name_or_empty(raw: object) -> str:
    """A name, or nothing."""
    return "" if raw == "" else name(raw)


def path(raw: object) -> Path:
    """A folder or file; ``~`` is the home folder."""
    value = text(raw)
    if not value:
        raise ValueError("is empty; write the path of a folder")
    return Path(value).expanduser()


def whole(low: int, high: int) -> Kind:
    """A whole number from ``low`` to ``high``."""

    def read(raw: object) -> int:
        value = int(raw) if isinstance(raw, str) and re.fullmatch(r"-?\d{1,9}", raw) else raw
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"is not a whole number from {low} to {high}")
        return value

    return read


def choice(*allowed: str) -> Kind:
    """One of some words."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or raw not in allowed:
            raise ValueError(f"is not one of {', '.join(allowed)}")
        return raw

    return read


def switch(raw: object) -> bool:
    """On or off."""
    value = {"true": True, "false": False}.get(str(raw).lower())
    if value is None:
        raise ValueError("is neither true nor false")
    return value


def addresses(raw: object) -> tuple[str, ...]:
    """IP addresses joined by commas, or a list of them."""
    try:
        return tuple(str(ip_address(each)) for each in _listed(raw))
    except (ValueError, TypeError):
        raise ValueError("is not a list of addresses; write 127.0.0.1,10.0.0.5") from None


def address(raw: object) -> str:
    """``host:port``, with an IPv6 host in brackets."""
    value = text(raw)
    found = _ADDRESS.match(value)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        raise ValueError("is not an address; write host:port, such as 127.0.0.1:8080")
    return value


def bind(raw: object) -> str:
    """``host:port``, or ``unix:`` and the absolute path of a socket."""
    value = text(raw)
    if not value.startswith("unix:"):
        return address(value)
    if not value.startswith("unix:/") or len(os.fsencode(value)) > _LONGEST_SOCKET:
        raise ValueError("is no socket; write unix: and an absolute path of at most 100 characters")
    return value


def broker(raw: object) -> str:
    """``mqtt://host:port`` or ``mqtts://host:port``."""
    value = text(raw)
    if not _url(value, {"mqtt", "mqtts"}):
        raise ValueError("is not a broker address; write mqtt://host:port, or mqtts://host:port for TLS")
    return value


def brokers(raw: object) -> tuple[str, ...]:
    """Addresses of brokers joined by commas, or a list of them."""
    try:
        found = _listed(raw)
    except TypeError:
        raise ValueError("is not a list of broker addresses; write mqtts://one:8883,mqtts://two:8883") from None
    return tuple(broker(each) for each in found)


def web_or_empty(raw: object) -> str:
    """``http://host`` or ``https://host``, or nothing."""
    return _or_empty(
        text(raw),
        lambda value: _url(value, {"http", "https"}),
        "is not a web address; write https://host or http://host:port",
    ).rstrip("/")


def https_or_empty(raw: object) -> str:
    """``https://host:port``, or nothing."""
    return _or_empty(
        text(raw),
        lambda value: _url(value, {"https"}),
        "is not an address over HTTPS; write https://host:8443",
    ).rstrip("/")


def broker_or_empty(raw: object) -> str:
    """An address of a broker, or nothing."""
    return "" if raw == "" else broker(raw)


def hosts(raw: object) -> tuple[str, ...]:
    """Host names or addresses joined by commas, or a list of them."""
    try:
        found = tuple(_listed(raw))
    except (ValueError, TypeError):
        found = ("?",)
    if not all(re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", each) for each in found):
        raise ValueError("is not a list of hosts; write cloud.example.org,10.0.0.5")
    return found


def public_name_or_empty(raw: object) -> str:
    """A name that a certificate for phones is for, where a star stands for each device's own, or nothing."""
    return _or_empty(
        text(raw),
        lambda value: is_public_name(value.removeprefix(STAR)),
        "is no name for phones; write one in lower case, such as *.tickets.example.org or tickets.example.org",
    )


def device_or_empty(raw: object) -> str:
    """The address of a driver such as ``sim://printer``, or nothing; the driver itself checks the rest."""
    return _or_empty(
        text(raw),
        re.compile(r"^[a-z0-9+.-]+://").match,
        "is not a device address; write scheme://..., such as sim://printer or serial:///dev/ttyACM0",
    )


def found_or_device(raw: object) -> str:
    """The address of a driver, ``auto`` for what is plugged in, or nothing."""
    return "auto" if raw == "auto" else device_or_empty(raw)


def mail_server_or_empty(raw: object) -> str:
    """The address of a mail server, or nothing."""
    return _or_empty(
        text(raw),
        _mail_server,
        "is not a mail server; write smtp://user@host:587, smtps://user@host:465 or smtp+plain://host:25",
    )


def mail_or_empty(raw: object) -> str:
    """An e-mail address, or nothing."""
    return _or_empty(text(raw), mail_of, "is not an e-mail address; write box-office@example.org")


def public_key_or_empty(raw: object) -> str:
    """A raw Ed25519 public key in hex, or nothing."""
    return _or_empty(
        text(raw),
        re.compile(r"[0-9a-f]{64}").fullmatch,
        "is not a public key; write the 64 hex digits that `marquee provision` printed",
    )


def country_or_empty(raw: object) -> str:
    """A country as its two letters (ISO 3166-1), or nothing."""
    return _or_empty(
        text(raw).strip().upper(),
        re.compile(r"[A-Z]{2}").fullmatch,
        "is not a country; write its two letters, such as DE or US",
    )


def wifi_name_or_empty(raw: object) -> str:
    """The name of a Wi-Fi (SSID): 1 to 32 bytes, or nothing."""
    return _or_empty(
        text(raw),
        lambda value: len(value.encode("utf-8", "surrogatepass")) <= WIFI_NAME_BYTES,
        f"is too long for the name of a Wi-Fi; write at most {WIFI_NAME_BYTES} bytes",
    )


def apn_or_empty(raw: object) -> str:
    """The access point name of a mobile network (3GPP TS 23.003), or nothing."""
    return _or_empty(
        text(raw),
        re.compile(r"[A-Za-z0-9.-]{1,100}").fullmatch,
        "is not an APN; write what the operator of the SIM card says, such as internet",
    )


def _listed(raw: object) -> list[str]:
    """Return the words of a list, or of text joined by commas; raise ``ValueError`` or ``TypeError`` for what is neither."""
    given = raw.split(",") if isinstance(raw, str) else raw
    return [text(each).strip() for each in cast(Iterable[object], given) if each]


def _or_empty(value: str, fits: Callable[[str], object], otherwise: str) -> str:
    """Return a value that is empty or fits; raise ``ValueError`` with these words for another."""
    if value and not fits(value):
        raise ValueError(otherwise)
    return value


def _mail_server(value: str) -> bool:
    try:
        parts = urlsplit(value)
        named = parts.scheme in {"smtp", "smtps", "smtp+plain"} and bool(parts.hostname)
        return named and parts.password is None and parts.port != 0
    except ValueError:
        return False


def _url(value: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
