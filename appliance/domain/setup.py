"""How far a device is with becoming one: from a card with a provisioning file to a certificate. Words for console and paper."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.domain.provisioning import Provisioning

# no_file .. other_file: first boot has nothing to work with. waiting .. sealed: enrolment does not come about. done: a device.
Step = Literal["no_file", "bad_file", "waiting", "unreachable", "wrong_authority", "token_refused", "sealed", "done"]

# Addresses of before by which a device still looks for its broker; each was one of the cloud's own words.
MOST_BEFORE = 3


@dataclass(frozen=True, slots=True)
class Setup:
    """Where it stands; ``problems`` are sentences (English) that say which key or what exactly, and repeat no secret.

    ``pin`` is the hash of the staff's PIN, empty where there is none.
    """

    step: Step
    problems: tuple[str, ...] = ()
    device: str = ""
    venue: str = ""
    pin: str = ""

    @property
    def pending(self) -> bool:
        """Whether this is no device yet, and sells nothing."""
        return self.step != "done"


# What it is, and what to do.
WORDS: dict[Step, tuple[str, str]] = {
    "no_file": (
        "This device has no provisioning file.",
        (
            "Write one in the cloud with: sudo marquee-cloud provision DEVICE VENUE --out provisioning.toml --country CC. Switch this device off, "
            "put the file on the card's first partition under that name, and switch it on."
        ),
    ),
    "bad_file": (
        "The provisioning file cannot be used.",
        (
            "Correct what is named here, or write the file again. Switch this device off, put the file on the card's first partition, and switch "
            "it on."
        ),
    ),
    "waiting": ("This device is asking the cloud for its certificate.", "Nothing needs to be done."),
    "unreachable": (
        "The cloud cannot be reached.",
        "Connect this device to the internet: by cable, by a modem, or by the Wi-Fi in its provisioning file. It goes on by itself.",
    ),
    "wrong_authority": (
        "Somebody else answers in the place of the cloud.",
        "Look whether this internet wants a sign-in first, and whether the file is of this cloud. It tries again by itself.",
    ),
    "token_refused": (
        "The cloud refuses the token of this provisioning file.",
        (
            "Write another one in the cloud with: sudo marquee-cloud provision DEVICE VENUE --out provisioning.toml --renew-token --like OLD, where "
            "OLD is a copy of this card's file. Switch this device off, put the new file on the card's first partition, and switch it on."
        ),
    ),
    "sealed": (
        "The cloud has sealed this device for good.",
        "Provision it under a new name, with --replace in its file.",
    ),
    "done": ("This device is set up.", ""),
}
_REASONS: dict[str, Step] = {"sealed": "sealed"}


def refused(reason: str) -> Step:
    """Return the step for the authority's word."""
    return _REASONS.get(reason, "token_refused")


def settings_of(
    given: Provisioning, data: str, broker: tuple[str, str] | None = None, portal: tuple[str, str] | None = None
) -> str:
    """Return the settings file of a device; ``data`` is its folder, ``broker`` address and cloud key once it has enrolled.

    ``portal`` are address and certificate (a file) by which phones find it over HTTPS, where the cloud handed out any.
    """
    text, number = _text, str
    lines = {
        "device": {"org": text(given.org), "name": text(given.name), "venue": text(given.venue)},
        "authority": {"url": text(given.url)},
        "hotspot": {
            "country": text(given.wifi.country),
            "ssid": text(given.wifi.ssid),
            "passphrase_file": text(f"{data}/hotspot.passphrase") if given.wifi.passphrase else "",
            "channel": number(given.wifi.channel) if given.wifi.channel else "",
            "stations": number(given.wifi.stations) if given.wifi.stations else "",
        },
        "uplink": {
            "wifi_ssid": text(given.uplink.ssid) if given.uplink.ssid else "",
            "wifi_passphrase_file": text(f"{data}/uplink.passphrase") if given.uplink.passphrase else "",
            "modem_apn": text(given.uplink.apn) if given.uplink.apn else "",
        },
        "broker": {}
        if broker is None
        else {
            "url": text(broker[0]),
            "ca": text(f"{data}/tls/ca.pem"),
            "certificate": text(f"{data}/tls/device.pem"),
            "key": text(f"{data}/tls/device.key"),
            "cloud_key": text(broker[1]),
        },
        "portal": {} if portal is None else _portal(*portal),
    }
    said = ["# What the provisioning file made of this device; a new file is the way to change it."]
    for section, values in lines.items():
        if any(values.values()):
            said += ["", f"[{section}]", *(f"{key} = {value}" for key, value in values.items() if value)]
    return "\n".join(said) + "\n"


def with_portal(text: str, portal: tuple[str, str]) -> str:
    """Return a device's settings file with another address and certificate by which phones find it; the rest stays as it is.

    Raises ``ValueError`` for a file that was written by hand in a way that this cannot keep.
    """
    return _with(text, "portal", {"secure_url": portal[0], "certificate": portal[1]}, _portal(*portal))


def with_broker(text: str, url: str) -> str:
    """Return a device's settings file with another address of its broker; those it had before are tried behind it, newest first.

    Raises ``ValueError`` for a file that names no broker, or was written by hand in a way that this cannot keep.
    """
    match tomllib.loads(text).get("broker"):
        case {"url": now, "urls_before": [*before]}:
            pass
        case {"url": now}:
            before = []
        case _:
            raise ValueError("it was written by hand; write broker.url there")
    if now == url:
        return text
    kept = [each for each in dict.fromkeys((now, *before)) if each != url][:MOST_BEFORE]
    written = {"url": _text(url), "urls_before": f"[{', '.join(_text(each) for each in kept)}]"}
    return _with(text, "broker", {"url": url, "urls_before": kept}, written)


def _with(text: str, section: str, here: Mapping[str, object], written: Mapping[str, str]) -> str:
    """Return a settings file with what is ``here`` in a section, as it is ``written``."""
    before = tomllib.loads(text)
    expected = {**before, section: {**before.get(section, {}), **here}}
    if before == expected:
        return text
    kept, inside, head = [], "", f"[{section}]"
    # Names of Wi-Fis may have line breaks in them that Unicode alone knows.
    for line in text.rstrip("\n").split("\n"):
        inside = line.strip() if line.startswith("[") else inside
        if inside != head or line.partition("=")[0].strip() not in written:
            kept.append(line)
    if head not in kept:
        kept += ["", head]
    at = kept.index(head) + 1
    kept[at:at] = [f"{key} = {value}" for key, value in written.items()]
    made = "\n".join(kept) + "\n"
    if tomllib.loads(made) != expected:
        raise ValueError(
            f"it was written by hand; write {' and '.join(f'{section}.{key}' for key in written)} there, too"
        )
    return made


def _portal(url: str, certificate: str) -> dict[str, str]:
    return {"secure_url": _text(url), "certificate": _text(certificate)}


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
