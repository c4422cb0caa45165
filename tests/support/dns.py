"""Asks one DNS question over UDP (RFC 1035)."""

from __future__ import annotations

import secrets
import socket
import struct
from dataclasses import dataclass

A, AAAA, HTTPS = 1, 28, 65
NO_SUCH_NAME = 3


@dataclass(frozen=True)
class DnsAnswer:
    """The addresses found, how long they may be remembered, and the answer's code."""

    addresses: tuple[str, ...]
    life_s: int
    code: int


def ask(server: str, name: str, kind: int = A) -> DnsAnswer:
    """Ask ``server`` in the network this thread is in."""
    number = secrets.randbits(16)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect((server, 53))
        sock.send(struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1))
        data = sock.recv(4096)
    heard, flags, _questions, answers = struct.unpack("!HHHH", data[:8])
    assert heard == number
    place = 12 + len(labels) + 5
    addresses, life_s = [], 0
    for _ in range(answers):
        # Names in answers are pointers to the question (two bytes).
        its, _class, life_s, length = struct.unpack("!HHIH", data[place + 2 : place + 12])
        value = data[place + 12 : place + 12 + length]
        if its == A:
            addresses.append(socket.inet_ntoa(value))
        place += 12 + length
    return DnsAnswer(tuple(addresses), life_s, flags & 0xF)
