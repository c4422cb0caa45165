"""The SIM card's PIN, from a file that only its owner may read."""

from __future__ import annotations

from pathlib import Path

from drivers.modem.api import SimTrouble

_SHORTEST, _LONGEST = 4, 8


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
