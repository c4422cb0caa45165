"""Who looked at what, as the proxy tells it: most views are answered from its memory and never reach Python.

nginx sends one datagram per shared page that it showed (the ``seen`` log of its template) to a socket of the bridge. Names are made
here, from the address and with this device's key; addresses are written down nowhere.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import structlog

from appliance.domain.experiments import bucket_from
from appliance.services import conversion
from appliance.services.box import Box
from appliance.services.conversion import Visit
from appliance.web.leases import Leases
from appliance.web.tokens import Tokens

log = structlog.get_logger(__name__)
POLL_S = 1.0
LONGEST = 2048
# So many are taken in one go; more wait in the socket's buffer, and what does not fit there is not counted.
MOST_AT_ONCE = 2000
# Visits known to be counted, so that reloading costs no look into the database.
MOST_REMEMBERED = 20_000
_EVENT = "/events/"


class Seen(msgspec.Struct, frozen=True):
    """One line of the log; what else stands in it is left out."""

    address: str
    path: str
    variant: str = ""


def visitor_name(tokens: Tokens, leases: Leases, address: str) -> str:
    """Return the name of the phone at an address: by its DHCP lease on the hotspot, by the address elsewhere."""
    return tokens.name("visitor", leases.hardware_of(address) or address)


def parsed(datagram: bytes) -> Seen | None:
    """Return what a datagram of nginx's syslog says of an event's page, None for anything else."""
    _, _, line = datagram.partition(b"{")
    try:
        found = msgspec.json.decode(b"{" + line, type=Seen)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if found.path.startswith(_EVENT) else None


class SeenListener:
    """Owns the socket and counts what arrives, about once a second."""

    def __init__(self, path: Path, box: Box, tokens: Tokens, leases: Leases) -> None:
        self._path = path
        self._box = box
        self._tokens = tokens
        self._leases = leases
        self._counted: set[Visit] = set()
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wire.setblocking(False)
        self._wire.bind(os.fspath(path))
        # The proxy runs as another user of the same group.
        path.chmod(0o660)

    def start(self, stop: threading.Event) -> threading.Thread:
        """Count in a thread of its own until ``stop`` is set."""
        thread = threading.Thread(target=self.run, args=(stop,), name="seen pages", daemon=True)
        thread.start()
        return thread

    def run(self, stop: threading.Event) -> None:
        """Count until ``stop`` is set; a failure costs one batch and is logged."""
        ready = select.poll()
        ready.register(self._wire, select.POLLIN)
        while not stop.is_set():
            if ready.poll(POLL_S * 1000):
                try:
                    self.count(self._datagrams())
                except Exception:
                    log.exception("visits were not counted")
                stop.wait(POLL_S)
        self.close()

    def close(self) -> None:
        """Close and remove the socket."""
        self._wire.close()
        self._path.unlink(missing_ok=True)

    def count(self, datagrams: Iterable[bytes]) -> int:
        """Count these views; return how many phones were new."""
        seen = (found for each in datagrams if (found := parsed(each)) is not None)
        visits = {self._visit(each) for each in seen} - self._counted
        if not visits or not self._box.has_room():
            return 0
        number = self._box.run(lambda unit: conversion.seen(unit, visits))
        if len(self._counted) + len(visits) > MOST_REMEMBERED:
            self._counted.clear()
        self._counted |= visits
        return number

    def _visit(self, seen: Seen) -> Visit:
        event = seen.path.removeprefix(_EVENT).partition("/")[0]
        return Visit(event, visitor_name(self._tokens, self._leases, seen.address), bucket_from(seen.variant))

    def _datagrams(self) -> Iterator[bytes]:
        for _ in range(MOST_AT_ONCE):
            try:
                yield self._wire.recv(LONGEST)
            except BlockingIOError:
                return
