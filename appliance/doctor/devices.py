"""``marquee doctor --devices``: what is attached, which address to write for it, and how each device in the settings is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.desk.names import AUTO, addresses
from appliance.doctor import attached, device
from appliance.doctor.attached import Attached, NotSeen
from appliance.doctor.findings import Finding, ok, warn
from appliance.settings import Settings
from drivers.registry import schemes
from drivers.url import DeviceUrl, parse

Look = Callable[[Path], Iterator[Attached]]
LISTS: tuple[tuple[str, Look, str], ...] = (
    ("printer", attached.printers, "USB printer"),
    ("scanner", attached.keyboards, "keyboard or scanner that acts as one"),
    ("reader", attached.card_readers, "reader of smart cards"),
    ("serial", attached.serial_ports, "USB serial port"),
    ("camera", attached.cameras, "camera"),
    ("modem", attached.modems, "modem"),
    ("lamp", attached.pins, "pin"),
)


def examine_devices(settings: Settings, root: Path = Path("/")) -> Iterator[Finding]:
    """Everything that is plugged in, then everything that the settings name."""
    used = {url: f"desk.{name}" for name, url in addresses(settings).items() if url not in {"", AUTO}}
    for kind, look, what in LISTS:
        found = False
        try:
            for each in look(root):
                found = True
                yield _attached(kind, each, used, root)
        except NotSeen as reason:
            yield ok(kind, f"not looked at: {reason}")
            continue
        except OSError as error:
            yield warn(kind, f"could not be looked at: {error}", "Run it as the service's user, or as root.")
            continue
        if not found:
            yield ok(kind, f"no {what} is attached")
    yield from device.hardware(settings)


def _attached(kind: str, thing: Attached, used: dict[str, str], root: Path) -> Finding:
    for url, setting in used.items():
        if _same(parse(url), thing, root):
            if thing.forbidden:
                return _forbidden(kind, thing, f"{thing.words}, {setting}")
            return ok(kind, f"{thing.words}: in use as {setting}")
    possible = [(setting, url) for setting, url in thing.addresses if parse(url).scheme in schemes(_family(setting))]
    if not possible:
        return ok(kind, f"{thing.words}: no driver of this version uses it")
    if thing.forbidden:
        return _forbidden(kind, thing, thing.words)
    written = " or ".join(f'{setting} = "{url}"' for setting, url in possible)
    return Finding(kind, "ok", f"{thing.words}: not in the settings", f"To use it write {written}")


def _forbidden(kind: str, thing: Attached, words: str) -> Finding:
    fix = f"Run: adduser {_user()} {thing.group}, then start the service again. A rule of udev does the same."
    return warn(kind, f"{words}: this user may not open {thing.path}", fix)


def _user() -> str:
    return os.environ.get("USER") or "marquee"


def _same(wanted: DeviceUrl, thing: Attached, root: Path) -> bool:
    """Whether a configured address leads to this thing, be it by another name, by any of its kind, or with options."""
    for _, each in thing.addresses:
        offered = parse(each)
        if wanted.scheme != offered.scheme:
            continue
        if thing.path is not None and offered.path:
            return (root / wanted.path.lstrip("/")).resolve() == thing.path.resolve()
        if wanted.host in {offered.host, "", "any"}:
            return True
    return False


def _family(setting: str) -> str:
    return setting.partition(".")[2].partition("_")[0]
