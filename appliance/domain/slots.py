"""Slots A and B: what the boot ROM is told, what a boot that came up proves, and when a slot is given up.

Source: Raspberry Pi's documentation of autoboot.txt and tryboot. The ROM boots ``boot_partition`` of ``[all]``, or once, after a
reboot that asked for it, the one of ``[tryboot]``; a power cut forgets the asking. So a new slot is only tried until it is good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Slot = Literal["A", "B"]
State = Literal["good", "bad"]
SLOTS: tuple[Slot, ...] = ("A", "B")
PARTITIONS: Mapping[Slot, int] = {"A": 2, "B": 3}
# Boots of one slot that its gate found unhealthy, with no good one between, after which the other is taken, if that one is good.
ATTEMPTS = 3
# The same for boots that were not found good, whoever is to blame. One that nobody judged says little of its slot: most of them
# are plugs that were pulled, and those are to be pulled whenever you like.
UNJUDGED = 10
# The ROM reads one sector of the file and no more.
AUTOBOOT_BYTES = 512


@dataclass(frozen=True, slots=True)
class Booted:
    """What the firmware says of this boot: the boot partition it took, and whether it was a trial."""

    partition: int
    tryboot: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is kept across boots on the data partition.

    Which slots came up well, boots in a row that were not found good, and how many of these the gate found unhealthy. And the newest
    schema that the program of each slot knows, as far as it has run since it was installed.
    """

    states: Mapping[Slot, State] = field(default_factory=lambda: {"A": "good", "B": "bad"})
    attempts: int = 0
    unhealthy: int = 0
    heads: Mapping[Slot, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write: the ledger, and the slot that boots by default where that changes."""

    ledger: Ledger
    default: Slot | None = None


def other(slot: Slot) -> Slot:
    """Return the other slot."""
    return "B" if slot == "A" else "A"


def slot_of(partition: int) -> Slot | None:
    """Return the slot of a boot partition; None if it has none."""
    return next((slot for slot, number in PARTITIONS.items() if number == partition), None)


def autoboot(default: Slot) -> bytes:
    """Return autoboot.txt for a device that boots ``default``.

    The text for A and the one for B differ in two digits, so that a write which stops anywhere leaves a text that boots one of both.
    """
    lines = (
        "# Which slot boots: written by marquee slot.",
        "[all]",
        "tryboot_a_b=1",
        f"boot_partition={PARTITIONS[default]}",
        "[tryboot]",
        f"boot_partition={PARTITIONS[other(default)]}",
        "",
    )
    return "\n".join(lines).encode("ascii")


def default_of(text: bytes) -> Slot | None:
    """Return the slot that ``autoboot.txt`` boots; None where it names none. Whatever stands in the file, this does not raise."""
    section, found = "all", None
    for line in text.decode("ascii", "replace").splitlines():
        word = line.split("#", 1)[0].strip()
        if head := re.fullmatch(r"\[(.*)\]", word):
            section = head[1].strip().lower()
        elif section == "all" and (value := re.fullmatch(r"boot_partition\s*=\s*(\d{1,3})", word, re.ASCII)):
            found = slot_of(int(value[1]))
    return found


def primary(default: Slot, *, armed: bool) -> Slot:
    """Return the slot that the next orderly reboot boots."""
    return other(default) if armed else default


def known(ledger: Ledger, booted: Booted | None, head: int) -> Ledger:
    """Note of the slot that runs that its program knows schemas up to ``head``."""
    slot = _running(booted)
    return replace(ledger, heads={**ledger.heads, slot: head}) if slot else ledger


def attempted(ledger: Ledger, booted: Booted | None) -> Ledger:
    """A boot began. A trial is not counted: if it fails, the next boot is the old slot by itself."""
    if booted is not None and booted.tryboot:
        return ledger
    return replace(ledger, attempts=ledger.attempts + 1)


def marked(ledger: Ledger, default: Slot, booted: Booted | None, slot: Slot, state: State, floor: int = 0) -> Decision:
    """A slot is marked. Only the slot that the firmware says is running may become the default by being good."""
    noted = replace(ledger, states={**ledger.states, slot: state})
    running = _running(booted) == slot
    if state == "good":
        if not running:
            return Decision(noted)
        return Decision(settled(noted), slot if slot != default else None)
    if not running:
        # It is about to be overwritten: nobody knows any more what its program can.
        noted = replace(noted, heads={each: head for each, head in ledger.heads.items() if each != slot})
    if slot == default and noted.states[other(slot)] == "good" and not too_old(noted, other(slot), floor):
        return Decision(settled(noted), other(slot))
    return Decision(noted)


def on_trial(ledger: Ledger, default: Slot, booted: Booted | None) -> bool:
    """Whether the slot that runs has yet to show in this boot that it can do without the default.

    One that the ROM fell back to and that was found unhealthy too often is on trial no more: it stays, and only an install leads out.
    """
    if booted is None or _running(booted) != other(default):
        return False
    return booted.tryboot or ledger.unhealthy < ATTEMPTS


def too_old(ledger: Ledger, slot: Slot, floor: int) -> bool:
    """Whether the program of ``slot`` is known to end at the database, in which programs work that know schemas from ``floor`` on."""
    return 0 < ledger.heads.get(slot, 0) < floor


def settled(ledger: Ledger) -> Ledger:
    """The boots are counted anew: one was found good, if only of a slot that the firmware does not name, or another slot is taken."""
    return replace(ledger, attempts=0, unhealthy=0)


def unhealthy(ledger: Ledger, default: Slot, booted: Booted | None, floor: int = 0) -> tuple[Decision, bool]:
    """This boot did not become healthy: what to write, and whether to reboot.

    A trial is left at once. Any other is tried ``ATTEMPTS`` times, and then the default is given up for the other slot if that one was
    good; if it was not, or runs already, the device stays up as it is, since half a box office is more than a loop of reboots.
    """
    if booted is not None and booted.tryboot:
        return Decision(ledger), True
    ledger = replace(ledger, unhealthy=ledger.unhealthy + 1)
    if _outgrown(ledger, default, booted, floor):
        return _left(ledger, default), True
    if ledger.unhealthy < ATTEMPTS:
        return Decision(ledger), True
    if not _has_way_back(ledger, default, booted, floor):
        return Decision(ledger), False
    return _left(ledger, default), True


def given_up(ledger: Ledger, default: Slot, booted: Booted | None, floor: int = 0) -> Decision:
    """A boot begins: whether its slot is given up before it is judged.

    That is one which was not found good ``UNJUDGED`` times in a row, though it seldom got as far as to be judged, and one whose program
    would end at the database.
    """
    if _outgrown(ledger, default, booted, floor):
        return _left(ledger, default)
    if ledger.attempts <= UNJUDGED or not _has_way_back(ledger, default, booted, floor):
        return Decision(ledger)
    return _left(ledger, default)


def _running(booted: Booted | None) -> Slot | None:
    return slot_of(booted.partition) if booted is not None else None


def _has_way_back(ledger: Ledger, default: Slot, booted: Booted | None, floor: int) -> bool:
    """Whether another slot may be taken than the one that runs; where the firmware is silent, that is the default's."""
    back = other(default)
    return _running(booted) in {None, default} and ledger.states[back] == "good" and not too_old(ledger, back, floor)


def _outgrown(ledger: Ledger, default: Slot, booted: Booted | None, floor: int) -> bool:
    """Whether the other slot alone can open the database: half a box office there is more than none here, whatever its mark says.

    Only one whose program has run since it was installed, so that there is something to boot. No loop comes of it: the slot that is left
    is called bad, and no decision but this one takes a slot that is; of two slots the other one never finds itself too old.
    """
    if _running(booted) != default or not too_old(ledger, default, floor):
        return False
    return ledger.heads.get(other(default), 0) >= floor


def _left(ledger: Ledger, default: Slot) -> Decision:
    states: dict[Slot, State] = {**ledger.states, default: "bad"}
    return Decision(settled(replace(ledger, states=states)), other(default))
