"""Which ports the demo uses, and whether they are free."""

from __future__ import annotations

import socket

MOST_VENUES = 10
CONSOLE = 10
PAGE = 11
HOST = "127.0.0.1"


def of_venue(base_port: int, k: int) -> int:
    """The port of venue ``k``, counted from 1."""
    return base_port + k - 1


def busy(base_port: int, venues: int) -> list[int]:
    """Return the ports that somebody else listens on."""
    wanted = [*(of_venue(base_port, k) for k in range(1, venues + 1)), base_port + CONSOLE, base_port + PAGE]
    return [port for port in wanted if not _free(port)]


def any_free() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def _free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
        return True
