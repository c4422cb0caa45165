"""Reading and writing of these files: tolerant in what is read, flushed in what is written."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from pathlib import Path

import msgspec

from appliance.domain.slots import SLOTS, Booted, Ledger, Slot, autoboot, default_of
from mqtt_bridge import durable

# `reboot_partition tryboot`: what the firmware of the board understands as one boot of [tryboot].
TRYBOOT = "0 tryboot"
_HEADER = struct.Struct(">16s44xI")


def read_booted(folder: Path) -> Booted | None:
    """Return what the firmware says of this boot; None where it says nothing, as on other machines."""
    try:
        partition, tryboot = (struct.unpack(">I", (folder / name).read_bytes())[0] for name in ("partition", "tryboot"))
    except (OSError, struct.error):
        return None
    return Booted(partition, bool(tryboot))


def read_default(path: Path) -> Slot | None:
    """Return the slot that boots by default; None where the file is damaged. Raises ``OSError``."""
    return default_of(path.read_bytes())


def write_default(path: Path, default: Slot) -> None:
    """Say which slot boots by default: over the old text, in the same sector, flushed before this returns."""
    text = autoboot(default)
    # Neither truncated nor replaced: either would also change the table of the file system, in other sectors.
    number = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(number, text, 0)
        if os.fstat(number).st_size != len(text):
            os.ftruncate(number, len(text))
        os.fsync(number)
    finally:
        os.close(number)


def read_floor(path: Path) -> int:
    """Return the oldest schema whose program can work in the database, 0 where it does not say: the user version in SQLite's header.

    Source: sqlite.org/fileformat.html, section 1.3. Nothing is locked, and what only the log beside it says is not seen. The folder is
    not root's: a link or a pipe in the file's place is not followed and not waited for.
    """
    with contextlib.suppress(OSError), open(path, "rb", opener=_plainly) as file:
        header = file.read(_HEADER.size) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
        if len(header) == _HEADER.size:
            magic, floor = _HEADER.unpack(header)
            return int(floor) if magic == b"SQLite format 3\0" else 0
    return 0


def _plainly(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def read_ledger(path: Path) -> Ledger:
    """Return the ledger; that of a new device where there is none or it cannot be read."""
    with contextlib.suppress(OSError, msgspec.DecodeError, ValueError):
        found = msgspec.json.decode(path.read_bytes(), type=Ledger)
        if set(found.states) == set(SLOTS) and min(found.attempts, found.unhealthy) >= 0:
            return found
    return Ledger()


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Keep the ledger."""
    replace(path, msgspec.json.encode(ledger), mode=0o644)


def replace(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file whole or not at all, in a folder made if need be; it survives a power cut once this returned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, content, mode)
