"""The one file on the first partition, put there without mounting it: a desktop that mounts it too would write at the same time.

``mcopy`` of the package mtools does it. A writer of our own for one file would be a hundred lines that can ruin a card in
silence; this program is old, everywhere, and works on a device or a file at an offset.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess

from appliance.flash.card import Card
from appliance.flash.errors import FlashFailed, FlashRefused

FILE = "provisioning.toml"
TOOL = "mcopy"
_FAT_TYPES = frozenset({0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E})
_SECTOR = 512
_TOOL_S = 60.0


def require_tool() -> None:
    """Raise ``FlashRefused`` where the program is missing."""
    if shutil.which(TOOL) is None:
        raise FlashRefused(f"the program {TOOL} is missing, which puts the file onto the card; apt-get install mtools")


def start_of_first(block: bytes) -> int:
    """Offset in bytes of the first partition, from the master boot record; raises ``FlashRefused`` if it is not FAT."""
    kind, start = struct.unpack_from("<4xB3xI", block, 446)
    if block[510:512] != b"\x55\xaa" or kind not in _FAT_TYPES or not start:
        raise FlashRefused("the image has no FAT partition at its beginning: it is no image of this product")
    return int(start) * _SECTOR


def put(card: Card, offset: int, content: bytes) -> None:
    """Write the provisioning file and read it back; raises ``FlashFailed``."""
    where = f"{card.path}@@{offset}"
    _run("-o", "-n", "-i", where, "-", f"::{FILE}", given=content)
    card.settle()
    if _run("-n", "-i", where, f"::{FILE}", "-") != content:
        raise FlashFailed(f"{card.path} does not keep the provisioning file: it is worn or a fake. Take another card")


def _run(*arguments: str, given: bytes = b"") -> bytes:
    # Nobody's own settings of mtools may decide about the card; a FAT made for files lacks the heads and tracks of a floppy.
    environment = {**os.environ, "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C"}
    command = [shutil.which(TOOL) or TOOL, *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, env=environment, timeout=_TOOL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlashFailed(f"the provisioning file could not be put onto the card: {error}") from None
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip() or f"{TOOL} failed"
        raise FlashFailed(f"the provisioning file could not be put onto the card: {reason}")
    return done.stdout
