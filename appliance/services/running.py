"""What the bridge tells of image and program: read from the system's own words, with a small file of what was before."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.domain.clock import Now
from appliance.domain.running import Memory, Shown, looked, slot_of
from appliance.services import setting_up as files
from mqtt_bridge.protocol.messages import HardwareState
from mqtt_bridge.protocol.running import Running, piece_of

FILE = "running.json"
RELEASE = Path("/usr/lib/os-release")
_IMAGE = re.compile(r'^IMAGE_VERSION="?([^"\n]*)"?$', re.MULTILINE)


class _Kept(msgspec.Struct, frozen=True):
    memory: Memory
    said: str
    since_ms: int


class RunningWatch:
    """Looks when asked. ``shown`` returns what the slots' keeper shows and raises ``OSError`` where there are no slots."""

    def __init__(self, data: Path, shown: Callable[[], Shown], program: str, release: Path = RELEASE) -> None:
        self._path, self._shown, self._program = data / FILE, shown, program
        self._image = _image(release)
        self._kept = _read(self._path)

    def look(self, now: Now) -> HardwareState:
        """Return the piece of the report that says it; what changed is kept for the next boot."""
        memory, running = self._kept.memory, Running(self._program, self._image)
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            shown = self._shown()
            memory = looked(memory, shown, self._image, now.boot_id)
            here = slot_of(shown)
            marks = {slot: "too old" if slot in shown.too_old else mark for slot, mark in shown.states.items()}
            trial = here != shown.default
            running = Running(self._program, self._image, here, trial, dict[str, str](marks.items()), memory.went_back)
        piece = piece_of(running)
        since_ms = self._kept.since_ms if piece.reason == self._kept.said else now.wall_ms
        self._keep(_Kept(memory, piece.reason, since_ms))
        return msgspec.structs.replace(piece, since_ms=since_ms)

    def _keep(self, kept: _Kept) -> None:
        if kept == self._kept:
            return
        self._kept = kept
        # On a full disk the next boot knows less, and nobody waits for it.
        with contextlib.suppress(OSError):
            files.write(self._path, msgspec.json.encode(kept))


def _image(release: Path) -> str:
    with contextlib.suppress(OSError, UnicodeError):
        if found := _IMAGE.search(release.read_text("utf-8")):
            return found[1]
    return ""


def _read(path: Path) -> _Kept:
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    return _Kept(Memory(), "", 0)
