"""From the bytes of a serial scanner to codes. Pure: time is given by the caller."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

MAX_CODE_BYTES = 4096
DEFAULT_GAP_S = 0.2

_CR, _LF = 0x0D, 0x0A
# Some scanners frame codes (STX, ETX, EOT) or pass the separators of GS1 codes; they are no sign of a wrong speed.
_FRAMING = "\t\x02\x03\x04\x1c\x1d\x1e\x1f"
_BROKEN = "\ufffd"
_AIM_ID = re.compile(r"\A\][A-Za-z][0-9A-Za-z](?=.)")


class Frame(NamedTuple):
    """What a scanner is configured to put around a code.

    Both are removed where they are present; a code that lacks them is passed on as it is, because a scanner that
    lost its configuration is still better than one that is mute. An AIM identifier (ISO/IEC 15424) such as `]Q1` in front
    tells the kind of code and is removed, too: scanners add it again when they are reset.
    """

    prefix: str = ""
    suffix: str = ""

    def strip(self, text: str) -> str:
        """The code in `text`, without frame, control characters and spaces around it."""
        kept = "".join(char for char in text if unicodedata.category(char) != "Cc")
        return _AIM_ID.sub("", kept.removeprefix(self.prefix)).removesuffix(self.suffix).strip()


class Decoder:
    """Cuts a byte stream into codes at CR, LF or CRLF, or at a pause when the scanner sends no terminator.

    A pause longer than `gap_s` ends a code. Codes longer than `MAX_CODE_BYTES` are dropped and counted in `dropped`.
    What is mostly no text is no code either: its bytes are counted in `unreadable`.
    """

    def __init__(self, prefix: str = "", suffix: str = "", gap_s: float = DEFAULT_GAP_S) -> None:
        self._frame = Frame(prefix, suffix)
        self._gap_s = gap_s
        self._buffer = bytearray()
        self._too_long = False
        self._last_s = 0.0
        self.dropped = 0
        self.unreadable = 0

    @property
    def waiting(self) -> bool:
        """Whether part of a code has arrived."""
        return bool(self._buffer) or self._too_long

    def gap_left_s(self, now_s: float) -> float:
        """Seconds until a pause ends the part that has arrived."""
        return max(0.0, self._last_s + self._gap_s - now_s)

    def feed(self, data: bytes, now_s: float) -> list[str]:
        """The codes that `data`, which arrived at `now_s`, completes."""
        codes = self.flush(now_s) if data else []
        self._last_s = now_s
        # Whole lines at a time, so that a flood costs little.
        *lines, rest = data.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if line or self.waiting:
                self._append(line)
                codes.extend(self._take())
        self._append(rest)
        return codes

    def flush(self, now_s: float) -> list[str]:
        """The code that the pause until `now_s` ended, if there is one."""
        if self.waiting and self.gap_left_s(now_s) == 0:
            return self._take()
        return []

    def reset(self) -> None:
        """Forget half a code, as after an unplugged cable."""
        self._buffer.clear()
        self._too_long = False

    def _append(self, data: bytes) -> None:
        if self._too_long:
            return
        if len(self._buffer) + len(data) > MAX_CODE_BYTES:
            self._buffer.clear()
            self._too_long = True
            self.dropped += 1
            return
        self._buffer += data

    def _take(self) -> list[str]:
        data, self._too_long = bytes(self._buffer), False
        self._buffer.clear()
        text = data.decode("utf-8", "replace")
        if _is_noise(text):
            self.unreadable += len(data)
            return []
        code = self._frame.strip(text)
        return [code] if code else []


def _is_noise(text: str) -> bool:
    """Whether a third of it or more is no text, as with a wrong speed of the line."""
    broken = sum(char == _BROKEN or (unicodedata.category(char) == "Cc" and char not in _FRAMING) for char in text)
    return broken * 3 >= len(text) > 0
