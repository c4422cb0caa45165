"""From the bytes of a serial scanner to codes. Pure: time is given by the caller."""

from __future__ import annotations

MAX_CODE_BYTES = 4096
DEFAULT_GAP_S = 0.2

_CR, _LF = 0x0D, 0x0A


class Decoder:
    """Cuts a byte stream into codes at CR, LF or CRLF, or at a pause when the scanner sends no terminator.

    `prefix` and `suffix` are removed where they are present; a code that lacks them is passed on as it is, because
    a scanner that lost its configuration is still better than one that is mute. A pause longer than `gap_s` ends a
    code. Codes longer than `MAX_CODE_BYTES` are dropped and counted in `dropped`.
    """

    def __init__(self, prefix: str = "", suffix: str = "", gap_s: float = DEFAULT_GAP_S) -> None:
        self._prefix = prefix
        self._suffix = suffix
        self._gap_s = gap_s
        self._buffer = bytearray()
        self._too_long = False
        self._last_s = 0.0
        self.dropped = 0

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
        for byte in data:
            if byte in (_CR, _LF):
                codes.extend(self._take())
            else:
                self._append(byte)
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

    def _append(self, byte: int) -> None:
        if self._too_long:
            return
        if len(self._buffer) >= MAX_CODE_BYTES:
            self._buffer.clear()
            self._too_long = True
            self.dropped += 1
            return
        self._buffer.append(byte)

    def _take(self) -> list[str]:
        data, self._too_long = bytes(self._buffer), False
        self._buffer.clear()
        text = "".join(char for char in data.decode("utf-8", "replace") if char >= " " and char != "\x7f")
        code = text.removeprefix(self._prefix).removesuffix(self._suffix).strip()
        return [code] if code else []
