"""Which devices there are, written down outside the database too: a database restored from a backup forgot the newest ones.

One JSON line per entry, appended under a lock and flushed before the database commits what it says. A line that a crash
tore is skipped. What an entry says must stay true if its transaction fails: an operator did decide it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from mqtt_bridge.cloud.fleet import Entry

FILE = "fleet.jsonl"


class FleetLog:
    """The log in a file that is made when it is first written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: Entry) -> None:
        """Write an entry and flush it to the disk."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + msgspec.json.encode(entry) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            self._flush_folder()

    def entries(self) -> tuple[Entry, ...]:
        """Return what was written, oldest first."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        found = []
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=Entry))
            except msgspec.MsgspecError:
                continue
        return tuple(found)

    def _flush_folder(self) -> None:
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
