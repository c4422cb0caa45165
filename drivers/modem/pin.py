"""The SIM card's PIN, from a file that only its owner may read, and what became of giving it to the card.

A card locks itself after three wrong ones, and only the card knows for certain how many it has had. So it is asked; the last try is
never used; and what was given without success is kept in a file, so that a start of the program forgets nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from drivers.modem.api import SimTrouble

_SHORTEST, _LONGEST = 4, 8
ALL_TRIES = 3
"""How many tries a card has that has had no wrong PIN since the last right one (ETSI TS 102 221, 9.5.1)."""
_LONGEST_FILE = 4096


def read_pin(path: Path) -> str:
    """The four to eight digits in the file; raises `SimTrouble` with what is wrong with it."""
    try:
        if path.stat().st_mode & 0o077:
            raise SimTrouble(f"The SIM card wants its PIN, and {path} can be read by others: run chmod 600.")
        pin = path.read_text("ascii", "replace").strip()
    except OSError as error:
        raise SimTrouble(f"The SIM card wants its PIN, and {path} cannot be read: {error.strerror}.") from None
    if not pin.isdigit() or not _SHORTEST <= len(pin) <= _LONGEST:
        raise SimTrouble(f"The SIM card wants its PIN, and {path} does not hold 4 to 8 digits.")
    return pin


@dataclass(frozen=True)
class _Given:
    """A PIN that was given: its salted hash, how many tries the card said it had then, and whether it said no."""

    salt: str
    digest: str
    left: int | None
    refused: bool = False

    def is_of(self, pin: str) -> bool:
        """Whether it was this one."""
        return secrets.compare_digest(_digest(self.salt, pin), self.digest)


class SimPin:
    """The PIN in `pin_file`, given to the card no oftener than can be done again; raises `SimTrouble` instead.

    `next` gives it out and writes that down first; `taken`, `refused` or `not_given` say what became of it. None of them: nobody knows.
    """

    def __init__(self, pin_file: Path) -> None:
        self._file = pin_file
        self._memory: Path | None = None
        self._given: list[_Given] = []

    def remember_in(self, file: Path) -> None:
        """Keep in `file` what was given, from now on."""
        self._memory = file
        self._given = _kept(file)

    def next(self, left: int | None) -> str:
        """The PIN, for a card that has so many tries `left`; None: it does not say."""
        pin = read_pin(self._file)
        if left is not None and left >= max([ALL_TRIES, *(each.left or 0 for each in self._given)]):
            # It has had a right one since, or is another card.
            self._given = []
        self._check(pin, left)
        salt = secrets.token_hex(8)
        self._given.append(_Given(salt, _digest(salt, pin), left))
        try:
            self._keep()
        except OSError as error:
            if left is None or left < ALL_TRIES:
                self._given.pop()
                raise SimTrouble(
                    f"The SIM card is not given its PIN, because {self._memory} cannot be written: {error.strerror}."
                ) from None
        return pin

    def taken(self) -> None:
        """The card is open, so it counts from the beginning."""
        if self._given:
            self._given = []
            self._keep_if_possible()

    def refused(self) -> SimTrouble:
        """The card said no; returns what to raise."""
        self._given[-1] = replace(self._given[-1], refused=True)
        self._keep_if_possible()
        return self._was_refused()

    def not_given(self) -> None:
        """The card certainly did not get it."""
        self._given.pop()
        self._keep_if_possible()

    def unanswered(self) -> str:
        """What to say where the answer did not come."""
        return f"The modem did not say whether the SIM card took the PIN in {self._file}."

    def _check(self, pin: str, left: int | None) -> None:
        mine = [each for each in self._given if each.is_of(pin)]
        if any(each.refused for each in mine):
            raise self._was_refused()
        if left is None:
            if len(self._given) >= ALL_TRIES - 1:
                raise self._perhaps_too_few()
        elif left < ALL_TRIES - 1 or (left < ALL_TRIES and not self._given):
            raise self._too_few(left)
        elif mine:
            # It was not answered, and the card has fewer tries than before.
            raise self._was_refused()

    def _was_refused(self) -> SimTrouble:
        return SimTrouble(f"The SIM card refused the PIN in {self._file}; it is not tried again.")

    def _too_few(self, left: int) -> SimTrouble:
        tries = "1 try" if left == 1 else f"{left} tries"
        return SimTrouble(
            f"The SIM card has {tries} left for its PIN, and the last are kept for a person: give it the PIN in a telephone, "
            f"then it has all of them again, and look whether {self._file} has the same."
        )

    def _perhaps_too_few(self) -> SimTrouble:
        forget = f", then remove {self._memory}" if self._memory else ""
        return SimTrouble(
            f"{len(self._given)} tries were used for the PIN of the SIM card, and the modem does not say how many are left. Give it "
            f"the PIN in a telephone, look whether {self._file} has the same{forget}."
        )

    def _keep_if_possible(self) -> None:
        with contextlib.suppress(OSError):
            self._keep()

    def _keep(self) -> None:
        if self._memory is None:
            return
        if not self._given:
            self._memory.unlink(missing_ok=True)
            return
        beside = self._memory.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            json.dump([asdict(each) for each in self._given], file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._memory)
        folder = os.open(self._memory.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _kept(file: Path) -> list[_Given]:
    """What was given before; a file that cannot be understood stands for all tries that may be used."""
    try:
        with file.open(encoding="ascii") as opened:
            return [_read(each) for each in json.loads(opened.read(_LONGEST_FILE))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, LookupError):
        return [_Given("", "", None)] * (ALL_TRIES - 1)


def _read(told: Any) -> _Given:
    left = told["left"]
    if not isinstance(left, int | None):
        raise TypeError
    return _Given(str(told["salt"]), str(told["digest"]), left, bool(told["refused"]))


def _digest(salt: str, pin: str) -> str:
    return hashlib.scrypt(pin.encode(), salt=salt.encode(), n=2**12, r=8, p=1).hex()
