"""What to ask a badge card on a PC/SC reader: its number, and the text that was written on it. Pure: bytes go through `transmit`.

Sources: PC/SC part 3 supplement (`FF` commands of contactless readers), NFC Forum "Type 2 Tag" 1.1 and "Type 4 Tag" 2.0.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.scanner.ndef import message_in_blocks, text_in

Exchange = Callable[[bytes], bytes]
"""Sends a command and gives the whole answer, two status bytes last."""

OK = b"\x90\x00"
GET_UID = bytes.fromhex("FFCA000000")
SELECT_NDEF = bytes.fromhex("00A4040007D276000085010100")
SELECT_FILE = bytes.fromhex("00A4000C02")
CAPABILITIES = b"\xe1\x03"
MAX_TEXT = 4096

# PC/SC workgroup's name in the ATR of cards that are plain memory.
_MEMORY_CARD = bytes.fromhex("A000000306")
_PAGE, _PAGES_AT_ONCE, _FIRST_PAGE = 4, 4, 3
_NDEF_MAGIC = 0xE1
_READ_AT_ONCE = 0xF0
_NDEF_FILE = 0x04


def number_of(exchange: Exchange) -> str | None:
    """The card's number as capital hex digits, or None when the reader or the card gives none."""
    data = _ask(exchange, GET_UID)
    return data.hex().upper() if data else None


def text_of(exchange: Exchange, atr: bytes) -> str | None:
    """The text of the first text record on the card, or None when there is none."""
    message = _from_memory(exchange) if _MEMORY_CARD in atr else _from_files(exchange)
    return text_in(message) if message else None


def _from_memory(exchange: Exchange) -> bytes | None:
    """The message of a Type 2 card (NTAG, Ultralight): pages of four bytes, blocks from page 4 on."""
    memory = _ask(exchange, _read_pages(_FIRST_PAGE))
    if memory is None or len(memory) < _PAGE or memory[0] != _NDEF_MAGIC:
        return None
    area = min(memory[2] * 8, MAX_TEXT)
    memory = memory[_PAGE:]
    page = _FIRST_PAGE + _PAGES_AT_ONCE
    while (message := message_in_blocks(memory)) is None and len(memory) < area:
        more = _ask(exchange, _read_pages(page)) if page < 256 else None
        if not more:
            return None
        memory += more
        page += _PAGES_AT_ONCE
    return message


def _read_pages(page: int) -> bytes:
    return bytes((0xFF, 0xB0, 0x00, page, _PAGE * _PAGES_AT_ONCE))


def _from_files(exchange: Exchange) -> bytes | None:
    """The message of a Type 4 card (DESFire, JavaCard): an application with a file of capabilities and one of data."""
    if _ask(exchange, SELECT_NDEF) is None or _ask(exchange, SELECT_FILE + CAPABILITIES) is None:
        return None
    capabilities = _ask(exchange, _read_file(0, 15))
    if capabilities is None or len(capabilities) < 15 or capabilities[7] != _NDEF_FILE:
        return None
    at_once = min(max(int.from_bytes(capabilities[3:5], "big"), 1), _READ_AT_ONCE)
    if _ask(exchange, SELECT_FILE + capabilities[9:11]) is None:
        return None
    size = _ask(exchange, _read_file(0, 2))
    if size is None:
        return None
    wanted = min(int.from_bytes(size, "big"), MAX_TEXT)
    message = b""
    while len(message) < wanted:
        more = _ask(exchange, _read_file(2 + len(message), min(at_once, wanted - len(message))))
        if not more:
            return None
        message += more
    return message


def _read_file(offset: int, size: int) -> bytes:
    return bytes((0x00, 0xB0)) + offset.to_bytes(2, "big") + bytes((size,))


def _ask(exchange: Exchange, command: bytes) -> bytes | None:
    """The answer without its status, or None when the card says no."""
    answer = exchange(command)
    if len(answer) == 2 and answer[0] == 0x6C:
        # The card wants to be asked for exactly as much as it has.
        answer = exchange(command[:-1] + answer[1:])
    data = answer[:-2]
    while len(answer) >= 2 and answer[-2] == 0x61 and len(data) <= MAX_TEXT:
        answer = exchange(b"\x00\xc0\x00\x00" + answer[-1:])
        data += answer[:-2]
    return data if answer[-2:] == OK else None
