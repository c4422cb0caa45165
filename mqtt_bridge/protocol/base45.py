"""Base45 (RFC 9285): two bytes as three characters of a QR code's alphanumeric mode."""

from __future__ import annotations

from mqtt_bridge.protocol.errors import ProtocolError

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}


def encode(data: bytes) -> str:
    """Return the text of ``data``."""
    letters: list[str] = []
    for at in range(0, len(data) - 1, 2):
        high, rest = divmod(data[at] * 256 + data[at + 1], 45 * 45)
        letters += (ALPHABET[rest % 45], ALPHABET[rest // 45], ALPHABET[high])
    if len(data) % 2:
        letters += (ALPHABET[data[-1] % 45], ALPHABET[data[-1] // 45])
    return "".join(letters)


def decode(text: str) -> bytes:
    """Return the bytes of ``text``; raises ``ProtocolError`` on foreign letters, impossible lengths and values."""
    if len(text) % 3 == 1:
        msg = f"{len(text)} letters cannot be Base45"
        raise ProtocolError(msg)
    try:
        values = [_VALUE[letter] for letter in text]
    except KeyError as error:
        msg = f"{error.args[0]!r} is no letter of Base45"
        raise ProtocolError(msg) from None
    data = bytearray()
    for at in range(0, len(values), 3):
        group = values[at : at + 3]
        number, size = sum(value * 45**place for place, value in enumerate(group)), len(group) - 1
        if number >= 256**size:
            msg = f"{text[at : at + 3]!r} stands for no bytes in Base45"
            raise ProtocolError(msg)
        data += number.to_bytes(size, "big")
    return bytes(data)
