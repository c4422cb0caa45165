"""What runs on a device: versions, slot and marks, told as one more piece of its hardware.

A ``HardwareReport`` takes no new field without being refused by a cloud of before; a piece that it does not know it shows as it
shows the others, by its name and in the words written here. Parts that this program does not know are skipped, likewise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mqtt_bridge.protocol.states import HardwareReport, HardwareState

NAME = "system"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}")
_PART = re.compile(
    r"image (?P<image>\S+)|program (?P<program>\S+)|slot (?P<slot>[AB])(?P<trial> on trial)?|(?P<marked>[AB]) (?P<mark>good|bad|too old)"
    r"|went back(?: from (?P<from>\S+))?"
)


@dataclass(frozen=True, slots=True)
class Running:
    """The image's version and slot (empty without an image), the program's version, and how both slots are marked: good, bad, or
    too old for the database.

    ``went_back`` is the version of an update that did not stay, empty where nobody knows it, None where none of it is known.
    ``since_ms`` is when this last changed, by the device's wall clock.
    """

    program: str = ""
    image: str = ""
    slot: str = ""
    trial: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    went_back: str | None = None
    since_ms: int = 0

    @property
    def alone(self) -> bool:
        """Whether there is no second slot that came up well."""
        return any(mark != "good" for mark in self.marks.values())


def piece_of(running: Running) -> HardwareState:
    """Return what a report says of it; a version that is none of ours is left out."""
    parts = [
        *(f"{name} {text}" for name in ("image", "program") if _VERSION.fullmatch(text := getattr(running, name))),
        *([f"slot {running.slot}{' on trial' if running.trial else ''}"] if running.slot else []),
        *(f"{slot} {mark}" for slot, mark in sorted(running.marks.items())),
    ]
    if running.went_back is not None:
        parts.append(f"went back from {running.went_back}" if _VERSION.fullmatch(running.went_back) else "went back")
    state = "fault" if running.went_back is not None else "opening" if running.trial else "ready"
    return HardwareState(NAME, state, "; ".join(parts), running.since_ms)


def running_of(report: HardwareReport | None) -> Running | None:
    """Return what a report says of it, whatever else stands there; None if it says nothing."""
    piece = next((each for each in report.hardware if each.name == NAME), None) if report is not None else None
    if piece is None:
        return None
    found: dict[str, str] = {}
    marks: dict[str, str] = {}
    went_back = None
    for part in piece.reason.split("; "):
        if (match := _PART.fullmatch(part)) is None:
            continue
        said = {name: value for name, value in match.groupdict().items() if value is not None}
        if part.startswith("went back"):
            went_back = said.get("from", "")
        elif "marked" in said:
            marks[said["marked"]] = said["mark"]
        else:
            found |= said
    return Running(
        program=found.get("program", ""),
        image=found.get("image", ""),
        slot=found.get("slot", ""),
        trial="trial" in found,
        marks=marks,
        went_back=went_back,
        since_ms=piece.since_ms,
    )
