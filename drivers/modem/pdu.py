"""Messages as a modem takes them in PDU mode: SMS-SUBMIT of 3GPP TS 23.040, split where one does not hold the text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

from drivers.modem import gsm7

MOST_PARTS = 6
_SUBMIT, _RELATIVE_VALIDITY, _HAS_HEADER = 0x01, 0x10, 0x40
# A day (9.2.3.12.1): a code that arrives after the evening is worth nothing.
_VALID_A_DAY = 0xA7
_GSM7, _UCS2 = 0x00, 0x08
_INTERNATIONAL, _NATIONAL = 0x91, 0x81
_SINGLE = {_GSM7: 160, _UCS2: 70}
_PART = {_GSM7: 153, _UCS2: 67}


class Pdu(NamedTuple):
    """One message for `AT+CMGS=<length>`: hex digits with an empty service centre in front, which `length` leaves out."""

    hex: str
    length: int


def submit(number: str, text: str, reference: int) -> list[Pdu]:
    """The messages that carry `text` to `number`, in order; `reference` (0 to 255) ties the parts of one text together.

    Raises `ValueError` for a text of more than `MOST_PARTS` parts.
    """
    tidy = gsm7.plain(unicodedata.normalize("NFC", text))
    coding = _GSM7 if gsm7.fits(tidy) else _UCS2
    parts = list(split(tidy, coding))
    if len(parts) > MOST_PARTS:
        msg = f"the text needs {len(parts)} messages, more than {MOST_PARTS}"
        raise ValueError(msg)
    headers = [b""]
    if len(parts) > 1:
        headers = [bytes([0x05, 0x00, 0x03, reference, len(parts), each + 1]) for each in range(len(parts))]
    return [_submit(number, part, coding, header) for part, header in zip(parts, headers, strict=True)]


def split(text: str, coding: int) -> Iterator[str]:
    """The text in pieces that fit, one if it fits whole; no escape pair and no surrogate pair is ever cut."""
    weight = _weight7 if coding == _GSM7 else _weight16
    if sum(map(weight, text)) <= _SINGLE[coding]:
        yield text
        return
    yield from _pieces(text, weight, _PART[coding])


def _pieces(text: str, weight: Callable[[str], int], room: int) -> Iterator[str]:
    piece, used = "", 0
    for char in text:
        needed = weight(char)
        if used + needed > room:
            yield piece
            piece, used = "", 0
        piece, used = piece + char, used + needed
    yield piece


def _weight7(char: str) -> int:
    return len(gsm7.septets(char) or ())


def _weight16(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1


def _submit(number: str, text: str, coding: int, header: bytes) -> Pdu:
    first = _SUBMIT | _RELATIVE_VALIDITY | (_HAS_HEADER if header else 0)
    # The modem puts its own message reference where a zero stands.
    head = bytes([first, 0x00]) + _address(number) + bytes([0x00, coding, _VALID_A_DAY])
    tpdu = head + (_septet_data(text, header) if coding == _GSM7 else _unit_data(text, header))
    return Pdu("00" + tpdu.hex().upper(), len(tpdu))


def _address(number: str) -> bytes:
    digits = number.removeprefix("+")
    kind = _INTERNATIONAL if number.startswith("+") else _NATIONAL
    padded = digits + "F" * (len(digits) % 2)
    swapped = "".join(padded[i + 1] + padded[i] for i in range(0, len(padded), 2))
    return bytes([len(digits), kind]) + bytes.fromhex(swapped)


def _septet_data(text: str, header: bytes) -> bytes:
    codes = [code for char in text for code in gsm7.septets(char) or ()]
    # The header is filled up to a whole number of septets, so that the text begins at one (9.2.3.24).
    header_septets = (len(header) * 8 + 6) // 7
    fill_bits = header_septets * 7 - len(header) * 8
    return bytes([header_septets + len(codes)]) + header + gsm7.pack(codes, fill_bits)


def _unit_data(text: str, header: bytes) -> bytes:
    data = header + text.encode("utf-16-be")
    return bytes([len(data)]) + data
