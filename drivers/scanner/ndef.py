"""Text in the NDEF messages of NFC cards. Pure.

Sources: NFC Forum "NFC Data Exchange Format" 1.0 (records), "Text Record Type Definition" 1.0, "Type 2 Tag" 1.1 (blocks).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

NULL_BLOCK, NDEF_BLOCK, LAST_BLOCK = 0x00, 0x03, 0xFE
_CHUNKED, _SHORT, _HAS_ID, _KIND, _LAST = 0x20, 0x10, 0x08, 0x07, 0x40
_WELL_KNOWN = 1
_UTF16, _LANGUAGE = 0x80, 0x3F


class Record(NamedTuple):
    """One record: `kind` is the type name format, `name` the type, such as `T` for text."""

    kind: int
    name: bytes
    payload: bytes


def text_in(message: bytes) -> str | None:
    """The text of the first text record, or None when there is none that can be read."""
    for record in records(message):
        if record.kind == _WELL_KNOWN and record.name == b"T" and record.payload:
            status, rest = record.payload[0], record.payload[1:]
            encoding = "utf-16" if status & _UTF16 else "utf-8"
            try:
                # Big endian unless a byte order mark says otherwise, as the definition has it.
                data = rest[status & _LANGUAGE :]
                return data.decode("utf-16-be" if encoding == "utf-16" and data[:2] not in _MARKS else encoding)
            except UnicodeDecodeError:
                return None
    return None


_MARKS = (b"\xfe\xff", b"\xff\xfe")


def records(message: bytes) -> Iterator[Record]:
    """The records of a message, as far as they are whole."""
    while len(message) >= 3:
        head, name_size = message[0], message[1]
        at = 3 if head & _SHORT else 6
        payload_size = message[2] if head & _SHORT else int.from_bytes(message[2:6], "big")
        id_size = 0
        if head & _HAS_ID:
            id_size = message[at] if len(message) > at else 0
            at += 1
        end = at + name_size + id_size + payload_size
        if end > len(message) or head & _CHUNKED:
            return
        yield Record(head & _KIND, message[at : at + name_size], message[end - payload_size : end])
        if head & _LAST:
            return
        message = message[end:]


def text_message(text: str) -> bytes:
    """A message with one text record, in English as far as the record says."""
    payload = b"\x02en" + text.encode()
    if len(payload) < 256:
        return b"\xd1\x01" + bytes((len(payload),)) + b"T" + payload
    return b"\xc1\x01" + len(payload).to_bytes(4, "big") + b"T" + payload


def message_in_blocks(memory: bytes) -> bytes | None:
    """The NDEF message in the data area of a Type 2 card, or None while more of the area is needed or there is none."""
    at = 0
    while at < len(memory) and memory[at] != LAST_BLOCK:
        if memory[at] == NULL_BLOCK:
            at += 1
            continue
        size, start = _block_size(memory, at)
        if memory[at] == NDEF_BLOCK:
            return memory[start : start + size] if start + size <= len(memory) else None
        at = start + size
    return None


def _block_size(memory: bytes, at: int) -> tuple[int, int]:
    """Size and start of a block's content."""
    if memory[at + 1 : at + 2] == b"\xff":
        return int.from_bytes(memory[at + 2 : at + 4], "big"), at + 4
    return (memory[at + 1] if at + 1 < len(memory) else 0), at + 2
