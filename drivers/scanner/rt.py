"""The commands of RT scanners and other modules with Newland's `~<SOH>0000` commands. Pure.

A command is `7E 01 30 30 30 30`, `@` (kept) or `#` (until power is lost), three letters of a group, three of a setting, data,
`; ETX`; `*` as data asks. An answer begins with `02 01`, repeats the command and puts ACK (06), NAK (15h: bad value) or ENQ
(05: no such setting) before `; ETX`.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.scanner.dialect import Ask, Sifted, persistent

ACK, NAK, ENQ = b"\x06", b"\x15", b"\x05"
MODES: Mapping[str, str] = {"manual": "0", "sense": "2", "continuous": "3"}

_QUESTION, _ANSWER, _END = b"\x7e\x010000", b"\x02\x010000", b";\x03"
_LONGEST = 64


def command(setting: str, data: str) -> bytes:
    """A command that stays after power was lost, such as `("CIDENA", "0")`."""
    return _QUESTION + b"@" + f"{setting}{data}".encode() + _END


def answer(setting: str, data: str, verdict: bytes = ACK) -> bytes:
    """An answer, as a module sends it."""
    return _ANSWER + b"@" + f"{setting}{data}".encode() + verdict + _END


class Rt:
    """Sets up plain codes with a terminator, without AIM and CODE id; `mode` is one of `MODES`, or empty to leave it."""

    name = "RT"
    question = command("SCNMOD", "*")

    def __init__(self, mode: str = "") -> None:
        self._mode = mode

    def sift(self, data: bytes) -> Sifted:
        """Take out what stands between an answer's beginning and its end."""
        text = bytearray()
        answers: list[bytes] = []
        while data:
            at = data.find(_ANSWER[:1])
            if at < 0:
                return Sifted(bytes(text) + data, answers, b"")
            text += data[:at]
            data = data[at:]
            end = data.find(_END)
            if end < 0 and len(data) < _LONGEST and data[: len(_ANSWER)] == _ANSWER[: len(data)]:
                return Sifted(bytes(text), answers, data)
            if data.startswith(_ANSWER) and end > 0:
                answers.append(data[len(_ANSWER) : end])
                data = data[end + len(_END) :]
            else:
                text += data[:1]
                data = data[1:]
        return Sifted(bytes(text), answers, b"")

    def set_up(self, ask: Ask) -> list[str]:
        """See `Dialect.set_up`."""
        ask = persistent(ask)
        wanted = [("CIDENA", "0", "that no CODE id is sent"), ("AIDENA", "0", "that no AIM id is sent")]
        wanted.append(("TSUENA", "1", "how codes end"))
        if self._mode:
            wanted.append(("SCNMOD", MODES[self._mode], f"the mode {self._mode}"))
        return [what for setting, value, what in wanted if not _set(ask, setting, value)]

    def baud_command(self, baud: int) -> bytes | None:
        """Not known to be alike in all of them."""
        return None


def _set(ask: Ask, setting: str, value: str) -> bool:
    """Make a setting `value`; only what is read afterwards counts."""
    if _value(ask, setting) == value:
        return True
    ask(command(setting, value))
    return _value(ask, setting) == value


def _value(ask: Ask, setting: str) -> str | None:
    body = ask(command(setting, "*"))
    head = b"@" + setting.encode()
    if body is None or not body.startswith(head) or not body.endswith(ACK):
        return None
    return body[len(head) : -1].decode("ascii", "replace")
