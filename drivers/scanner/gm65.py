"""The commands of GM65, GM861 and kin (Hangzhou Grow): one byte of settings per address, "zone". Pure.

Source: the tables of zones and the examples of frames in the manufacturer's user manuals. A command is `7E 00`, kind, length, address, data and a
CRC-16 (polynomial 1021h, start 0) over all after `7E 00`; an answer is `02 00`, status, length, data and the CRC after `02 00`.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping

from drivers.scanner.dialect import Ask, Sifted, persistent

READ, WRITE, SAVE = 0x07, 0x08, 0x09
MODE, BAUD, OUTPUT, AIM_ID = 0x0000, 0x002A, 0x0060, 0x00D0
DONE = b"\x00"

MODES: Mapping[str, int] = {"manual": 0, "command": 1, "continuous": 2, "sense": 3}
_MODE_BITS = 0x03
# Of the output byte: bit 7 frames codes, 6 and 5 choose the tail (0 is CR), 2 puts a letter for the kind of code, 0 the tail.
_OUTPUT_BITS, _OUTPUT_WANTED = 0b1110_0101, 0b0000_0001

_HEAD = b"\x7e\x00"
_CLOCK_HZ = 3_000_000  # baud rates are divisors of this
_SHORTEST = 6


def crc(data: bytes) -> bytes:
    """The two bytes that end a frame."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "big")


def command(kind: int, address: int, data: bytes) -> bytes:
    """A whole command; a read's data is the number of bytes wanted."""
    body = bytes((kind, len(data))) + address.to_bytes(2, "big") + data
    return _HEAD + body + crc(body)


def answer(data: bytes, status: int = 0) -> bytes:
    """A whole answer, as a module sends it."""
    body = bytes((status, len(data))) + data
    return b"\x02\x00" + body + crc(body)


class Gm65:
    """Sets up plain codes that end with CR, without AIM and CODE id; `mode` is one of `MODES`, or empty to leave it."""

    name = "GM65"
    question = command(READ, MODE, b"\x01")

    def __init__(self, mode: str = "") -> None:
        self._mode = mode

    def sift(self, data: bytes) -> Sifted:
        """Take out what begins like an answer and has a right CRC."""
        text = bytearray()
        answers: list[bytes] = []
        while data:
            at = data.find(b"\x02")
            if at < 0:
                return Sifted(bytes(text) + data, answers, b"")
            text += data[:at]
            data = data[at:]
            size = _answer_size(data)
            if size > len(data):
                return Sifted(bytes(text), answers, data)
            if size and crc(data[2 : size - 2]) == data[size - 2 : size]:
                answers.append(data[2 : size - 2])
                data = data[size:]
            else:
                text += data[:1]
                data = data[1:]
        return Sifted(bytes(text), answers, b"")

    def set_up(self, ask: Ask) -> list[str]:
        """See `Dialect.set_up`; saved in the module's flash only if something was changed."""
        ask = persistent(ask)
        wanted = [(OUTPUT, _OUTPUT_BITS, _OUTPUT_WANTED, "how codes end"), (AIM_ID, 0xFF, 0, "that no AIM id is sent")]
        if self._mode:
            wanted.append((MODE, _MODE_BITS, MODES[self._mode], f"the mode {self._mode}"))
        outcomes = {what: _set(ask, address, bits, value) for address, bits, value, what in wanted}
        if any(outcomes.values()) and ask(command(SAVE, 0, DONE)) is None:
            outcomes["saving its settings"] = None
        return [what for what, changed in outcomes.items() if changed is None]

    def baud_command(self, baud: int) -> bytes | None:
        """See `Dialect.baud_command`."""
        return command(WRITE, BAUD, int(_CLOCK_HZ / baud + 0.5).to_bytes(2, "little"))


def _set(ask: Ask, address: int, bits: int, value: int) -> bool | None:
    """Make `bits` of a zone `value`; whether that changed it, or None when the module does not do it.

    A lost answer says nothing about the command, so only what is read afterwards counts.
    """
    before = _zone(ask, address)
    if before is None or before & bits == value:
        return None if before is None else False
    wanted = (before & ~bits & 0xFF) | value
    ask(command(WRITE, address, bytes((wanted,))))
    return True if _zone(ask, address) == wanted else None


def _zone(ask: Ask, address: int) -> int | None:
    body = ask(command(READ, address, b"\x01"))
    return body[2] if body is not None and len(body) == 3 and body[0] == 0 else None


def _answer_size(data: bytes) -> int:
    """Bytes of the answer that `data` begins with, 0 if it begins with none; more than there are while that is open."""
    if not b"\x02\x00".startswith(data[:2]):
        return 0
    return _SHORTEST if len(data) < 4 else _SHORTEST + data[3]
