"""A DHCP client as small as it can be (RFC 2131): discover, request, and what the answer said."""

from __future__ import annotations

import secrets
import socket
import struct
from dataclasses import dataclass

_EVERYBODY = ("255.255.255.255", 67)
_COOKIE = b"\x63\x82\x53\x63"
_HEAD = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s")
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
# Netmask, router, DNS servers, life, captive portal (RFC 8910): what phones ask for.
_WANTED = bytes([1, 3, 6, 51, 114])
_PATIENCE_S, _ATTEMPTS = 0.4, 15
# What phones call themselves, as many do.
HOST_NAME = "Annas-Phone"


@dataclass(frozen=True)
class DhcpAnswer:
    """What a phone was given; ``captive_portal`` is option 114, None where it is left out."""

    address: str
    prefix: int
    router: str
    dns: str
    life_s: int
    captive_portal: str | None


def ask(interface: str, hardware: str, patience_s: float = _PATIENCE_S) -> DhcpAnswer:
    """Get an address for ``interface``, which has none, in the network this thread is in; ``patience_s`` is for each of its words."""
    number = secrets.randbits(32)
    with _socket(interface) as sock:
        sock.settimeout(patience_s)
        offer, address = _talk(sock, number, hardware, _DISCOVER, _OFFER, b"")
        chosen = bytes([50, 4]) + socket.inet_aton(address) + bytes([54, 4]) + offer[54]
        given, address = _talk(sock, number, hardware, _REQUEST, _ACK, chosen)
    return DhcpAnswer(
        address=address,
        prefix=int.from_bytes(given[1], "big").bit_count(),
        router=socket.inet_ntoa(given[3][:4]),
        dns=socket.inet_ntoa(given[6][:4]),
        life_s=int.from_bytes(given[51], "big"),
        captive_portal=given[114].decode() if 114 in given else None,
    )


def flood(interface: str, number: int) -> int:
    """Ask for so many addresses in the names of as many invented phones, from one; return how many were offered."""
    with _socket(interface) as sock:
        sock.settimeout(0.7)
        for _ in range(number):
            invented = "02:" + ":".join(f"{each:02x}" for each in secrets.token_bytes(5))
            sock.sendto(_message(secrets.randbits(32), invented, _DISCOVER, b""), _EVERYBODY)
        offers: set[bytes] = set()
        try:
            while True:
                offers.add(sock.recv(2048)[4:8])
        except TimeoutError:
            return len(offers)


def _talk(
    sock: socket.socket, number: int, hardware: str, say: int, hear: int, more: bytes
) -> tuple[dict[int, bytes], str]:
    """Send one message until the answer comes; return its options and the address in it."""
    message = _message(number, hardware, say, more)
    # An access point that has just seen a phone come may lose its first words.
    for _ in range(_ATTEMPTS):
        sock.sendto(message, _EVERYBODY)
        try:
            while True:
                data = sock.recv(2048)
                found = _options(data[_HEAD.size + 4 :])
                if data[4:8] == number.to_bytes(4, "big") and found.get(53) == bytes([hear]):
                    return found, socket.inet_ntoa(data[16:20])
        except TimeoutError:
            continue
    raise TimeoutError("no DHCP answer")


def _socket(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    sock.bind(("0.0.0.0", 68))
    sock.settimeout(_PATIENCE_S)
    return sock


def _message(number: int, hardware: str, say: int, more: bytes) -> bytes:
    mac, nobody = bytes.fromhex(hardware.replace(":", "")), bytes(4)
    # 0x8000: answer by broadcast, since nothing can be sent to an address we do not have yet.
    head = _HEAD.pack(1, 1, 6, 0, number, 0, 0x8000, nobody, nobody, nobody, nobody, mac, b"", b"")
    name = bytes([12, len(HOST_NAME)]) + HOST_NAME.encode()
    return head + _COOKIE + bytes([53, 1, say, 55, len(_WANTED)]) + _WANTED + name + more + b"\xff"


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        length = data[1]
        found[data[0]] = data[2 : 2 + length]
        data = data[2 + length :]
    return found
