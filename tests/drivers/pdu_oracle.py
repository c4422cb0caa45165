"""Reads messages with a library that is not ours, so that an encoder cannot agree with its own mistakes."""

from __future__ import annotations

import importlib
from io import StringIO
from typing import Any

import bitstring


class _Stream:
    """What smspdudecoder 2.2 uses of the class that bitstring 5 took away; what the bits mean is read by the library."""

    def __init__(self, *, hex: str = "", bin: str = "") -> None:
        self.bits = bitstring.Bits(hex=hex) if hex else bitstring.Bits(bin=bin)
        self.pos = 0

    @property
    def bin(self) -> str:
        return str(self.bits.bin)

    @property
    def hex(self) -> str:
        return str(self.bits.hex)

    def read(self, form: str) -> Any:
        kind, _colon, length = form.partition(":")
        taken = self.bits[self.pos : self.pos + int(length or 1)]
        self.pos += len(taken)
        if kind == "bits":
            return taken
        return taken[0] if kind == "bool" else taken.uint


if not hasattr(bitstring, "BitStream"):
    bitstring.BitStream = _Stream  # type: ignore[attr-defined]

_Submit = importlib.import_module("smspdudecoder.fields").SMSSubmit


def read(pdu: str) -> dict[str, Any]:
    """Every field of an outgoing message; `pdu` is hex with its service centre in front."""
    fields: dict[str, Any] = _Submit.decode(StringIO(pdu))
    return fields


def text(pdu: str) -> str:
    """What it says."""
    fields = read(pdu)
    found = str(fields["user_data"]["data"])
    if fields["dcs"]["encoding"] != "gsm":
        return found
    # The library counts an escaped character once where it cuts the text to its length, so that the seven spare bits of some
    # lengths survive as '@'; the length in the message decides.
    stated = int(pdu[2 * (8 + (fields["recipient"]["length"] + 1) // 2) :][:2], 16)
    header = 7 if fields["header"]["udhi"] else 0
    read_septets = header + len(found) + sum(char in "\f^{}\\[~]|€" for char in found)
    return found[:-1] if read_septets > stated else found


def number(fields: dict[str, Any]) -> str:
    """To whom it goes, with `+` where it says so."""
    recipient = fields["recipient"]
    return ("+" if recipient["toa"]["ton"] == "international" else "") + str(recipient["number"])


def part(fields: dict[str, Any]) -> tuple[int, int, int] | None:
    """(reference, parts, number of this part), or None where the text is whole."""
    header = fields["user_data"].get("header")
    if not header:
        return None
    data = header["elements"][0]["data"]
    return data["reference"], data["parts_count"], data["part_number"]


def joined(pdus: list[str]) -> list[tuple[str, str]]:
    """(number, text) of the messages in the order they were taken; parts of one text are put together."""
    messages: list[tuple[str, str]] = []
    waiting: dict[tuple[str, int, int], dict[int, str]] = {}
    for pdu in pdus:
        fields = read(pdu)
        where = part(fields)
        if where is None:
            messages.append((number(fields), text(pdu)))
            continue
        reference, parts, this = where
        pieces = waiting.setdefault((number(fields), reference, parts), {})
        pieces[this] = text(pdu)
        if len(pieces) == parts:
            messages.append((number(fields), "".join(pieces[each] for each in sorted(pieces))))
            del waiting[number(fields), reference, parts]
    return messages
