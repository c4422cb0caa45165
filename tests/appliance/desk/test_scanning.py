"""The scan loop: every code is a recorded scan, and the scanner may vanish and come back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

from appliance.desk.scanning import Lane
from appliance.services import booking, door, payments, staff_badges, sync
from appliance.services.booking import Item
from appliance.services.staff_views import CheckInView
from drivers import scanner_for
from drivers.health import State
from drivers.scanner.pty import PtyScanner
from drivers.scanner.sim import SimScanner
from mqtt_bridge.protocol import badges
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.messages import KeyDirectory
from tests.support.box import ADULT, BADGE, TestBox, TestKey, guest
from tests.support.demo import wait_for


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Ends every loop of the test."""
    event = threading.Event()
    yield event
    event.set()


def paid_ticket(box: TestBox) -> str:
    """Book and pay one ticket for tonight; return its code."""
    hold = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 1)]))
    order = box.run(lambda unit: booking.confirm(unit, hold.id))
    box.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", order.due_minor))
    return order.tickets[0].code


def scans(box: TestBox) -> list[CheckInView]:
    return list(reversed(box.look(lambda unit: door.recent(unit, 50))))


def start(loop: Lane, stop: threading.Event) -> None:
    threading.Thread(target=loop.run, args=(stop,), daemon=True).start()


def test_codes_from_a_serial_line_are_checked_in_as_the_lane(box: TestBox, stop: threading.Event) -> None:
    """The real serial driver over a pty: admitted, already admitted, unknown."""
    port = PtyScanner()
    code = paid_ticket(box)
    heard: list[CheckInView | None] = []
    scanner = scanner_for(port.url)
    start(Lane(box, scanner, "north door", heard.append), stop)
    wait_for(lambda: scanner.health().state is State.READY, "the scanner")
    for text in (shown(code), code.lower(), "no ticket at all"):
        port.scan(text)
    wait_for(lambda: len(heard) == 3, "the verdicts")
    views = [each for each in heard if each is not None]
    assert [each.verdict for each in views] == ["admitted", "already_admitted", "refused"]
    assert views[2].reason == "unknown"
    assert {each.lane for each in scans(box)} == {"north door"}
    stop.set()
    port.close()


def test_a_scanner_that_is_unplugged_is_opened_again(box: TestBox, stop: threading.Event) -> None:
    """Without a restart, and what it scans afterwards counts."""
    scanner = SimScanner()
    scanner.unplug()
    start(Lane(box, scanner, "door"), stop)
    wait_for(lambda: scanner.health().state is State.ABSENT, "the loop to notice")
    scanner.replug()
    scanner.scan("ZZZZZZZZ")
    wait_for(lambda: len(scans(box)) == 1, "the scan after the plug is back")


def test_one_scan_that_fails_does_not_end_the_loop(box: TestBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk during one scan is no reason to stop scanning."""
    heard: list[CheckInView | None] = []
    loop = Lane(box, SimScanner(), "door", heard.append)

    def full(*_: object) -> CheckInView:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(door, "check_in", full)
        loop.take("AAAAAAAA")
    loop.take("AAAAAAAA")
    assert len(scans(box)) == 1
    assert [each is None for each in heard] == [True, False]


def test_a_scanner_that_repeats_itself_scans_once_and_another_lane_scans_again(
    box: TestBox, stop: threading.Event
) -> None:
    """A ticket that stays before the scanner is no second visitor; at the other door it is."""
    code, scanner, other = paid_ticket(box), SimScanner(), SimScanner()
    start(Lane(box, scanner, "left"), stop)
    start(Lane(box, other, "right"), stop)
    for _ in range(5):
        scanner.scan(code)
    scanner.scan("ZZZZZZZZ")
    wait_for(lambda: len(scans(box)) == 2, "the scans of the left lane")
    other.scan(code)
    wait_for(lambda: len(scans(box)) == 3, "the scan of the right lane")
    assert [(each.lane, each.verdict) for each in scans(box)] == [
        ("left", "admitted"),
        ("left", "refused"),
        ("right", "already_admitted"),
    ]


def test_a_lane_that_is_flooded_does_not_starve_the_other(box: TestBox, stop: threading.Event) -> None:
    """While one scanner babbles without a pause, a visitor in the other lane waits for a few of its scans at most."""
    flood, calm = SimScanner(), SimScanner()
    noise: list[CheckInView | None] = []
    heard = queue.SimpleQueue[CheckInView | None]()
    start(Lane(box, flood, "flooded", noise.append), stop)
    start(Lane(box, calm, "calm", heard.put), stop)
    for number in range(900):
        flood.scan(f"NOISE{number:04}")
    for number in range(10):
        before = len(noise)
        calm.scan(f"CALM{number}")
        assert heard.get(timeout=5) is not None
        assert len(noise) - before < 20
        stop.wait(0.01)
    assert len(noise) < 900, "the flood was over before the calm lane could be starved"


def test_a_badge_of_staff_is_no_ticket_and_waits_for_its_pin(box: TestBox) -> None:
    """It is kept for the sign-in page, and no scan is written down."""
    key = TestKey(b"c" * 32)
    text = badges.issue(badges.BadgeClaims(BADGE, "00" * 8), key)
    box.run(lambda unit: sync.apply_keys(unit, KeyDirectory(1, (), (key.public.hex(),))))
    heard: list[CheckInView | None] = []
    Lane(box, SimScanner(), "north door", heard.append).take(text)
    assert [each.lane for each in box.look(staff_badges.seen)] == ["north door"]
    assert (heard, scans(box)) == ([None], [])
