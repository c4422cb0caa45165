"""The card: a copy of the image that changes only by what reached it, file by file readable from outside while no power is on."""

from __future__ import annotations

import random
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.system.board import write_log

SECTOR = 512
_MBR_TABLE, _MBR_ENTRY = 446, 16
_EXTENDED = {0x05, 0x0F, 0x85}


@dataclass(frozen=True)
class Partition:
    """Where a partition lies, in bytes."""

    start: int
    length: int


class Card:
    """A raw disk in ``folder``, begun as a copy of ``image`` and ``size`` bytes long if that is more.

    Each boot writes into a layer of its own and into a log of its writes and flushes; when the power goes, the log says
    what a card may have kept.
    """

    def __init__(self, image: Path, folder: Path, size: int = 0) -> None:
        self.path = folder / "card.raw"
        self._layer, self._log = folder / "layer.qcow2", folder / "writes.log"
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(image), str(self.path)], check=True)
        self.path.chmod(0o600)
        if size > self.path.stat().st_size:
            with self.path.open("r+b") as disk:
                disk.truncate(size)

    def insert(self) -> list[str]:
        """Prepare the layer of one boot; return QEMU's arguments, the drive being the node ``card``."""
        self._layer.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)
        self._log.touch()
        created = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(self.path), str(self._layer)]
        subprocess.run(created, check=True)
        # Flushes are kept in the log; that this host might lose its own power is not what is looked at.
        file = "cache.no-flush=on,node-name"
        return [
            "-blockdev", f"driver=file,filename={self._layer},{file}=layer-file",
            "-blockdev", f"driver=qcow2,file=layer-file,{file}=layer",
            "-blockdev", f"driver=file,filename={self._log},{file}=log-file",
            "-blockdev", f"driver=raw,file=log-file,{file}=log",
            "-blockdev", f"driver=blklogwrites,file=layer,log=log,log-sector-size={SECTOR},node-name=card",
        ]  # fmt: skip

    def settle(self, lost: random.Random | None) -> write_log.Kept:
        """Put on the card what it kept: everything (None), or after a power cut what was flushed and, by chance, parts of the rest."""
        kept = write_log.replay(self._log, self.path, lost)
        self._layer.unlink()
        self._log.unlink()
        return kept

    def partitions(self) -> dict[int, Partition]:
        """Return the partitions of the MBR by their numbers, logical ones from 5 on."""
        with self.path.open("rb") as disk:

            def table(sector: int) -> list[tuple[int, int, int]]:
                disk.seek(sector * SECTOR + _MBR_TABLE)
                rows = (disk.read(_MBR_ENTRY) for _ in range(4))
                return [(row[4], *struct.unpack("<II", row[8:16])) for row in rows]

            found, extended = {}, 0
            for number, (kind, start, length) in enumerate(table(0), 1):
                if kind in _EXTENDED:
                    extended = start
                elif kind:
                    found[number] = Partition(start * SECTOR, length * SECTOR)
            number, here = 5, extended
            while here:
                (kind, start, length), (_, onward, _), *_ = table(here)
                if kind:
                    found[number] = Partition((here + start) * SECTOR, length * SECTOR)
                number, here = number + 1, extended + onward if onward else 0
        return found

    def read(self, partition: int, name: str) -> bytes:
        """Return a file of a FAT partition. Raises ``FileNotFoundError``."""
        done = subprocess.run(["mtype", "-i", self._fat(partition), f"::{name}"], capture_output=True, check=False)
        if done.returncode:
            raise FileNotFoundError(f"{name} in partition {partition}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def write(self, partition: int, name: str, content: bytes) -> None:
        """Put a file on a FAT partition, as a card reader does; only while no power is on."""
        subprocess.run(["mcopy", "-o", "-i", self._fat(partition), "-", f"::{name}"], input=content, check=True)

    def remove(self, partition: int, name: str) -> None:
        """Remove a file of a FAT partition."""
        subprocess.run(["mdel", "-i", self._fat(partition), f"::{name}"], check=True)

    def _fat(self, partition: int) -> str:
        where = self.partitions().get(partition)
        if where is None:
            raise FileNotFoundError(f"the card has no partition {partition}")
        return f"{self.path}@@{where.start}"
