"""A process that works in turns is heard by systemd, as long as it turns."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.heart import pulse

FOUR_S = {"WATCHDOG_USEC": "4000000"}


@pytest.fixture(autouse=True)
def _own_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """What writes down a crash of the tests themselves stays as it is."""
    monkeypatch.setattr("faulthandler.enable", lambda: None)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as wire:
        wire.bind(str(tmp_path / "notify"))
        yield wire


def heard(wire: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(wire.recv(100))
        except BlockingIOError:
            return found


def test_it_tells_that_it_turns_four_times_in_the_time_that_is_waited(wire: socket.socket) -> None:
    now_s = [100.0]
    beat = pulse({"NOTIFY_SOCKET": wire.getsockname(), **FOUR_S}, lambda: now_s[0])
    told = []
    for now_s[0] in (100.0, 100.9, 101.0, 101.5, 102.1):
        beat()
        told.append(heard(wire))
    assert told == [[b"WATCHDOG=1"], [], [b"WATCHDOG=1"], [], [b"WATCHDOG=1"]]


@pytest.mark.parametrize("lacks", [{"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_PID": "1"}])
def test_it_is_silent_where_nobody_waits_for_this_process(wire: socket.socket, lacks: dict[str, str]) -> None:
    known = {"NOTIFY_SOCKET": wire.getsockname(), "WATCHDOG_PID": str(os.getpid()), **FOUR_S}
    pulse(known)()
    assert heard(wire) == [b"WATCHDOG=1"]
    pulse({**known, **lacks})()
    assert heard(wire) == []


def test_it_does_not_wait_for_one_who_does_not_listen(wire: socket.socket) -> None:
    beat = pulse({"NOTIFY_SOCKET": wire.getsockname(), **FOUR_S}, iter(range(10_000)).__next__)
    for _ in range(1000):
        beat()
    assert 0 < len(heard(wire)) < 1000
    pulse({"NOTIFY_SOCKET": "/nowhere/notify", **FOUR_S})()
