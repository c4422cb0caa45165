"""The proxy's word of who looked at what: counted once per phone, and nothing it says can hurt."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.services import conversion
from appliance.web.leases import Leases
from appliance.web.seeing import SeenListener, parsed
from appliance.web.tokens import Tokens
from tests.support.box import TestBox, make_box

KEY = bytes(range(64))


def line(address: str = "10.0.0.7", path: str = "/events/river", variant: str = "0", **more: object) -> bytes:
    facts = {"method": "GET", "status": 200, "path": path, "variant": variant, "address": address, **more}
    return b"<190>Nov 25 20:00:00 seen: " + json.dumps(facts).encode()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    made = make_box(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def listener(box: TestBox, tmp_path: Path) -> Iterator[SeenListener]:
    leases = tmp_path / "leases"
    leases.write_text("0 aa:bb:cc:00:00:01 10.0.0.7 phone *\n0 aa:bb:cc:00:00:01 10.0.0.8 phone *\n")
    made = SeenListener(tmp_path / "seen.sock", box, Tokens(KEY), Leases(leases))
    yield made
    made.close()


def seen(box: TestBox) -> int:
    return sum(each.phones for each in box.look(conversion.totals))


def test_a_phone_counts_once_whatever_address_it_has(box: TestBox, listener: SeenListener):
    assert listener.count([line(), line(), line("10.0.0.8"), line("10.0.0.9"), line(path="/events/river/share")]) == 2
    assert listener.count([line(), line("10.0.0.10")]) == 1
    assert seen(box) == 3


@pytest.mark.parametrize(
    "datagram",
    [b"", b"<190>", b"seen: {", b"{}", b'{"address": 3}', line(path="/"), line(path="/tickets/abc"), line()[:40], b"\xff{\xff"],
)  # fmt: skip
def test_what_is_no_view_of_an_event_is_nothing(datagram: bytes):
    assert parsed(datagram) is None


def test_an_event_that_is_not_in_the_catalogue_counts_nothing(box: TestBox, listener: SeenListener):
    assert listener.count([line(path="/events/no-such-thing")]) == 0
    assert seen(box) == 0


def test_it_listens_until_it_is_stopped_and_only_its_group_may_write(
    box: TestBox, listener: SeenListener, tmp_path: Path
):
    path = tmp_path / "seen.sock"
    assert path.stat().st_mode & 0o777 == 0o660
    stop = threading.Event()
    thread = listener.start(stop)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        for n in range(50):
            wire.sendto(line(f"10.0.1.{n}"), str(path))
    deadline = time.monotonic() + 10
    while seen(box) < 50 and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert seen(box) == 50
    assert not path.exists()


def test_a_batch_that_fails_costs_itself_and_the_next_one_counts(
    box: TestBox, listener: SeenListener, monkeypatch: pytest.MonkeyPatch
):
    real, calls = conversion.seen, []

    def fails_once(unit, visits):
        calls.append(1)
        if len(calls) == 1:
            raise OSError("no")
        return real(unit, visits)

    monkeypatch.setattr(conversion, "seen", fails_once)
    with pytest.raises(OSError, match="no"):
        listener.count([line()])
    assert listener.count([line()]) == 1
