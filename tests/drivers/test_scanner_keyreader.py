"""The thread that empties a keyboard's queue in the kernel, over a device made of a pipe."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from drivers.scanner import keyreader
from drivers.scanner.keyreader import KeyReader
from drivers.scanner.keys import KeyDecoder, text_of
from drivers.scanner.typist import Event, events_for
from tests.drivers.patience import eventually

KERNEL_EVENTS = 64


class Device:
    """`send` puts events where the reader finds them; a queue as short as the kernel's."""

    def __init__(self) -> None:
        self.fd, self._end = os.pipe()
        self._waiting: list[Event] = []
        self._reads = 0
        self.closed = self.gone = False

    def send(self, events: list[Event]) -> None:
        assert eventually(lambda: not self._waiting)
        assert len(events) <= KERNEL_EVENTS
        self._waiting = events
        os.write(self._end, b"x")

    def settle(self) -> None:
        """Return when all that was sent is filed: the reader asks again only after that."""
        before = self._reads
        self.send([])
        assert eventually(lambda: self._reads > before)

    def unplug(self) -> None:
        self.gone = True
        os.write(self._end, b"x")

    def read(self) -> Iterator[SimpleNamespace]:
        os.read(self.fd, 1)
        self._reads += 1
        if self.gone:
            raise OSError("no such device")
        events, self._waiting = self._waiting, []
        return (SimpleNamespace(type=kind, code=code, value=value) for kind, code, value in events)

    def close(self) -> None:
        self.closed = True
        os.close(self.fd)
        os.close(self._end)


def _send(device: Device, text: str) -> None:
    events = events_for(text)
    for start in range(0, len(events), KERNEL_EVENTS):
        device.send(events[start : start + KERNEL_EVENTS])


def _codes(reader: KeyReader, decoder: KeyDecoder | None = None) -> list[str | None]:
    """Return what can be taken now; a ``decoder`` goes on where it stopped in the middle of a code."""
    decoder = decoder or KeyDecoder()
    codes: list[str | None] = []
    while (arrived := reader.take()) is not None:
        codes += [text_of(typed, "us") for typed in decoder.feed(arrived[1], arrived[0])]
    return codes


def test_nothing_is_lost_while_nobody_asks() -> None:
    device = Device()
    reader = KeyReader(device, time.monotonic)
    codes = [f"MQ1:{number}" + "6BF+70790T9WJWG" * 10 for number in range(20)]
    for code in codes:
        _send(device, code)
    device.settle()
    assert _codes(reader) == codes
    reader.close()
    assert device.closed


def test_what_nobody_ever_takes_is_given_up_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyreader, "MAX_EVENTS", 100)
    device = Device()
    reader = KeyReader(device, time.monotonic)
    for _ in range(10):
        _send(device, "CODE-1")
    _send(device, "SPOILT")
    device.settle()
    decoder = KeyDecoder()
    codes = _codes(reader, decoder)
    assert 0 < len(codes) < 10
    _send(device, "SPOILT TOO")
    device.settle()
    codes += _codes(reader, decoder)
    _send(device, "NEXT")
    device.settle()
    assert _codes(reader, decoder) == ["NEXT"]
    reader.close()


def test_what_came_before_the_cable_was_pulled_is_taken_first() -> None:
    device = Device()
    reader = KeyReader(device, time.monotonic)
    _send(device, "LAST")
    assert eventually(lambda: not device._waiting)
    device.unplug()
    reader.wait(5.0)
    assert reader.take() is not None
    reader.wait(5.0)
    with pytest.raises(OSError, match="no such device"):
        reader.take()
    reader.close()
