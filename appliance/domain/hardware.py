"""What to do about a device, in one plain sentence; the same on the staff page, on the console and in the doctor."""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.domain.clock import Now
from appliance.domain.texts import translatable

CAMERA_SCANNER = "camera://"
"""The address of a scanner that is the desk's own camera."""
SILENT_DESK_MS = 60_000
SILENT_DESK = translatable("The desk has said nothing for a minute. Start it again; until then type codes here.")

_REMEDIES: dict[tuple[str, str], str] = {
    ("printer", "absent"): translatable("Check its power and cable. Jobs wait; nobody has to."),
    ("printer", "fault"): translatable("Check paper, lid and cable. Jobs wait; nobody has to."),
    ("printer", "degraded"): translatable("Look whether paper comes out, and have a new roll ready."),
    ("scanner", "absent"): translatable("Type codes; it comes back by itself when plugged in."),
    ("scanner", "degraded"): translatable("Read its sentence; type codes that it does not read."),
    ("scanner", "fault"): translatable("Unplug it and plug it in again. Until then type codes."),
    ("camera", "absent"): translatable("Check its cable. Everybody comes in without pictures."),
    ("camera", "fault"): translatable("It is started again by itself. If it stays like this, check its cable."),
    ("lamp", "absent"): translatable("Check its cable. Read the verdict on this page."),
    ("lamp", "fault"): translatable("Check its cable. Read the verdict on this page."),
    ("modem", "absent"): translatable("Plug it in again. Messages wait."),
    ("modem", "degraded"): translatable("Check antenna, SIM card and credit. Messages wait."),
    ("modem", "fault"): translatable("Check antenna, SIM card and credit. Messages wait."),
    ("hotspot", "degraded"): translatable(
        "Ask guests who have their tickets to leave the Wi-Fi, so that others can come in; a phone that is turned away is not told why."
    ),
    ("hotspot", "fault"): translatable(
        "Guests cannot join. It is started again by itself; if it stays like this, switch this device off and on."
    ),
}
# What the access point's driver says, in figures.
_PHONES = re.compile(
    r"(?P<phones>\d+) of (?P<limit>\d+) phones are on the Wi-Fi(?P<full>: it is full(?:; (?P<refused>\d+) more could not come in)?)?\."
)


@dataclass(frozen=True, slots=True)
class Phones:
    """How many phones are on the Wi-Fi, how many fit, and how many others were turned away lately."""

    phones: int
    limit: int
    refused: int
    full: bool


def phones(name: str, reason: str) -> Phones | None:
    """Return the figures in what is said of the hotspot; None where it says none."""
    found = _PHONES.fullmatch(reason) if family(name) == "hotspot" else None
    if found is None:
        return None
    return Phones(int(found["phones"]), int(found["limit"]), int(found["refused"] or 0), found["full"] is not None)


def family(name: str) -> str:
    """The kind of a device by its name in the settings: ``printer_2`` is a ``printer``."""
    return name.partition("_")[0]


def number(name: str) -> int:
    """Which of its family it is, from 1."""
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdigit() else 1


def remedy(name: str, state: str) -> str:
    """What a person does about a device in that state; empty where nothing is to be done."""
    return _REMEDIES.get((family(name), state.lower()), "")


def is_silent(now: Now, boot_id: str, boot_ms: int) -> bool:
    """Whether the desk's last word, in that boot at that boot-time, says nothing about now.

    No wall clock tells that: without a time server it can begin a boot before the last word of the one before.
    """
    return boot_id != now.boot_id or now.boot_ms - boot_ms > SILENT_DESK_MS


def seen_ms(now: Now, at_ms: int, boot_id: str, boot_ms: int) -> int:
    """When the desk said it, by the wall clock as it stands now; what it said in another boot, before this one began."""
    booted_ms = now.wall_ms - now.boot_ms
    return booted_ms + boot_ms if boot_id == now.boot_id else min(at_ms, booted_ms)
