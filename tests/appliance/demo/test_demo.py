"""``marquee demo`` as a whole: lines, switches, page, restarts, and an end that leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from drivers.scanner.intake import DEFAULT_DEBOUNCE_S
from tests.support.demo import Demo, running, wait_for
from tests.support.http import request
from tests.support.ports import block_of_ports

VENUES = ("lantern-hall", "tram-depot")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The example at two venues, in a folder that stays."""
    with running(data=tmp_path_factory.mktemp("town")) as started:
        yield started


def first_type(demo: Demo, k: int = 1) -> dict:
    events = request("GET", demo.venue(k, "/api/v1/events")).json["events"]
    return events[0]["sessions"][0]["ticket_types"][0]


def book(demo: Demo, k: int = 1) -> dict:
    items = [{"ticket_type": first_type(demo, k)["id"], "quantity": 1}]
    hold = request("POST", demo.venue(k, "/api/v1/holds"), {"items": items}).json
    return request("POST", demo.venue(k, "/api/v1/orders"), {"hold": hold["hold"]}).json


def town(demo: Demo) -> list[dict]:
    return request("GET", f"http://127.0.0.1:{demo.base_port + 11}/demo/v1/state").json["venues"]


def state(demo: Demo, k: int) -> dict:
    return town(demo)[k - 1]


def test_it_prints_what_others_rely_on_in_order(demo: Demo) -> None:
    """A pid per process, a ready line per surface, tokens, then ready, last."""
    base = demo.base_port
    assert [line for line in demo.lines if line.startswith("ready: ")] == [
        f"ready: {VENUES[0]} http://127.0.0.1:{base}/",
        f"ready: {VENUES[1]} http://127.0.0.1:{base + 1}/",
        f"ready: console http://127.0.0.1:{base + 10}/",
        f"ready: demo http://127.0.0.1:{base + 11}/",
    ]
    assert demo.lines.index("ready") == max(
        i for i, line in enumerate(demo.lines) if line.startswith(("ready", "staff-token: ", "operator-token: "))
    )
    expected = {(venue, process) for venue in VENUES for process in ("portal", "desk", "bridge")}
    assert demo.pids.keys() == expected | {
        ("cloud", process) for process in ("broker", "reconciler", "verifier", "console")
    }


def test_its_tokens_open_staff_and_operator_doors_at_every_venue(demo: Demo) -> None:
    """One staff token for all demo venues, one operator token for the console."""
    for k in (1, 2):
        scan = request("POST", demo.venue(k, "/api/v1/check-ins"), {"code": "ZZZZ-ZZZZ"}, headers=demo.staff)
        assert (scan.status, scan.json["reason"]) == (200, "unknown")
    assert len(demo.stock()) == 10


def test_the_page_shows_both_venues_without_javascript_and_only_under_its_own_name(demo: Demo) -> None:
    """It carries tokens, so another name or another site gets nothing."""
    page = request("GET", f"http://127.0.0.1:{demo.base_port + 11}/")
    text = page.body.decode()
    assert page.status == 200
    for words in (
        "The Lantern Hall",
        "The Tram Depot",
        demo.word("staff-token:"),
        demo.word("operator-token:"),
        "as of",
    ):
        assert words in text
    url = f"http://127.0.0.1:{demo.base_port + 11}/"
    assert request("GET", url, headers={"Host": "evil.example"}).status == 403
    assert request("POST", url + "venues/1/link", {}, headers={"Origin": "http://evil.example"}).status == 403
    assert state(demo, 1)["link"] is True


def test_a_scan_goes_through_the_serial_scanner_and_paper_comes_out(demo: Demo) -> None:
    """404 before the first print; then the stub as a picture."""
    before = demo.control(2, "receipt.png", None)
    assert (before.status, before.headers["content-type"]) == (404, "application/problem+json")
    order = book(demo)
    unpaid = demo.control(1, "scan", {"code": order["tickets"][0]["code"]})
    assert unpaid.json["scan"]["reason"] == "unpaid"
    pay = {"method": "cash", "amount": order["total"]}
    url = demo.venue(1, f"/api/v1/orders/{order['order']}/payments")
    assert request("POST", url, pay, headers=demo.staff).status == 201
    time.sleep(2 * DEFAULT_DEBOUNCE_S)  # sooner it would be the code of before, still held there
    admitted = demo.control(1, "scan", {"code": order["tickets"][0]["code"]})
    assert admitted.json["scan"]["verdict"] == "admitted"
    # The payment's receipt and the admission's stub.
    wait_for(lambda: state(demo, 1)["printer"]["printed"] >= 2, "paper")
    picture = Image.open(io.BytesIO(demo.control(1, "receipt.png", None).body))
    assert picture.format == "PNG"
    assert picture.width > 500


def town_switch(demo: Demo, what: str, body: object) -> None:
    answer = request("POST", f"http://127.0.0.1:{demo.base_port + 11}/demo/v1/{what}", body)
    assert answer.status == 200, answer


def whole(demo: Demo) -> dict:
    return request("GET", f"http://127.0.0.1:{demo.base_port + 11}/demo/v1/state").json


def test_a_crowd_books_through_crashes_and_cuts_and_no_number_is_ever_wrong(demo: Demo) -> None:
    """Plug pulled at a venue, cloud crashed, link cut and healed: what was answered stays, in the files and in the cloud."""
    town_switch(demo, "crowd", {"on": True})
    wait_for(lambda: whole(demo)["crowd"]["booked"] >= 3, "the first bookings")
    demo.link(2, up=False)
    assert demo.control(1, "crash", {}).json == {"crashed": VENUES[0]}
    town_switch(demo, "cloud/crash", {})
    booked = whole(demo)["crowd"]["booked"]
    wait_for(lambda: whole(demo)["crowd"]["booked"] >= booked + 4, "bookings after the crash", 40)
    demo.link(2, up=True)
    town_switch(demo, "crowd", {"on": False})

    def settled() -> bool:
        state = whole(demo)
        quiet = all(each["unsynced"] == 0 and each["cloud"] for each in state["venues"])
        return quiet and all(each["issued"] == each["known"] for each in state["truth"]["quotas"])

    wait_for(settled, "the cloud to know every ticket", 60)
    state = whole(demo)
    assert state["truth"]["wrong"] == []
    assert state["truth"]["looks"] > 5
    assert state["crowd"]["lost"] == 0
    assert sum(each["issued"] for each in state["truth"]["quotas"]) > 0


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("link", {"up": "no"}, 422),
        ("link", {"up": True, "more": 1}, 422),
        ("scan", {"code": ""}, 422),
        ("scan", {"code": "x" * 5000}, 422),
        ("scan", {"code": "a\rb"}, 422),
        ("printer", {"fault": "sulks"}, 422),
        ("printer", [], 422),
        ("lamp_2", {"fault": "paper_out"}, 422),
        ("toaster", {"fault": None}, 404),
        ("scan", {"code": "ZZZZZZZZ", "lane": 3}, 422),
        ("press", {"button": "coffee"}, 422),
    ],
)
def test_wrong_requests_get_a_problem_and_change_nothing(demo: Demo, what: str, body: object, status: int) -> None:
    """As everywhere: problem+json with a sentence."""
    answer = demo.control(1, what, body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json["detail"]
    assert (state(demo, 1)["link"], state(demo, 1)["printer"]["fault"]) == (True, None)


def test_every_device_can_be_unplugged_and_is_back_within_two_seconds_while_the_other_lane_goes_on(demo: Demo) -> None:
    """The desk says what is absent, the other lane scans meanwhile, its lamp says the verdict, and all comes back by itself."""
    broken = {"printer": "unplug", "scanner": "unplug", "lamp": "unplug", "camera": "unplug"}
    for name, fault in broken.items():
        assert demo.control(1, name, {"fault": fault}).json == {"fault": fault}
    wait_for(lambda: all(device(demo, name)["state"] == "absent" for name in broken), "the desk to notice")
    scanned = demo.control(1, "scan", {"code": "QQQQ-QQQQ", "lane": 2})
    assert scanned.json["scan"]["reason"] == "unknown"
    wait_for(lambda: device(demo, "lamp_2")["shows"] == "refuse", "the lamp of the second lane")
    for name in broken:
        demo.control(1, name, {"fault": None})
    mended = time.monotonic()
    wait_for(lambda: all(device(demo, name)["state"] == "ready" for name in broken), "every device", 10)
    # Two seconds for the desk, the rest for this look at it on a busy machine.
    assert time.monotonic() - mended < 6
    scanned = demo.control(1, "scan", {"code": "QQQQ-QQQQ"})
    assert scanned.json["scan"]["reason"] == "unknown"


def test_the_desk_admits_while_portal_and_bridge_hang(demo: Demo) -> None:
    """It shares rows with them and nothing else: a scan gets its verdict and its lamp."""
    pids = [state(demo, 1)["processes"][name] for name in ("portal", "bridge")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        scanned = demo.control(1, "scan", {"code": "HHHH-HHHH"})
        assert scanned.json["scan"]["reason"] == "unknown"
        wait_for(lambda: device(demo, "lamp")["shows"] == "refuse", "the lamp", 3)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def device(demo: Demo, name: str) -> dict[str, Any]:
    """A device of the first venue."""
    found: dict[str, Any] = next(each for each in state(demo, 1)["devices"] if each["name"] == name)
    return found


def test_there_is_no_venue_zero_or_three(demo: Demo) -> None:
    """Venues count from one."""
    assert demo.control(0, "link", {"up": False}).status == 404
    assert demo.control(3, "link", {"up": False}).status == 404


def test_a_cut_link_fills_the_outbox_and_healing_empties_it(demo: Demo) -> None:
    """The venue goes on selling meanwhile and says that the cloud is silent."""
    demo.link(1, up=False)
    wait_for(lambda: not state(demo, 1)["cloud"], "the cut to be noticed")
    book(demo)
    wait_for(lambda: state(demo, 1)["unsynced"] >= 1, "the outbox to show the sale")
    assert state(demo, 2)["cloud"]
    demo.link(1, up=True)
    wait_for(lambda: state(demo, 1)["cloud"] and state(demo, 1)["unsynced"] == 0, "the outbox to empty")


def test_a_broken_printer_is_shown_as_broken_and_mends(demo: Demo) -> None:
    """The desk says what the printer says."""
    demo.control(1, "printer", {"fault": "paper_out"})
    wait_for(lambda: "paper" in state(demo, 1)["printer"]["reason"], "the desk to notice", 30)
    assert state(demo, 1)["printer"]["state"] == "fault"
    demo.control(1, "printer", {"fault": None})
    wait_for(lambda: state(demo, 1)["printer"]["state"] == "ready", "the desk to notice", 30)


def test_every_killed_process_is_back_within_five_seconds_and_nothing_is_lost(demo: Demo) -> None:
    """Also broker, reconciler and console."""
    order = book(demo)
    old = demo.pids
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: all(demo.pids[key] != pid for key, pid in old.items()), "new pids", 5)
    url = demo.venue(1, f"/api/v1/orders/{order['order']}")
    wait_for(lambda: request("GET", url).status == 200, "the order", 30)
    wait_for(lambda: all(each["cloud"] and each["unsynced"] == 0 for each in town(demo)), "sync", 30)


@pytest.mark.slow
def test_it_stops_cleanly_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Within ten seconds, with no process left; the next start knows the order and has not moved the evening."""
    with running(data=tmp_path / "town") as first:
        order = book(first)
        starts = request("GET", first.venue(1, "/api/v1/events")).json["events"][0]["sessions"][0]["starts_at"]
        pids = list(first.pids.values())
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(10) == 0
        assert [pid for pid in pids if alive(pid)] == []
    with running(data=tmp_path / "town") as second:
        assert request("GET", second.venue(1, f"/api/v1/orders/{order['order']}")).status == 200
        events = request("GET", second.venue(1, "/api/v1/events")).json["events"]
        assert events[0]["sessions"][0]["starts_at"] == starts
        assert second.word("staff-token:") != first.word("staff-token:")
        assert request("GET", second.console("/api/v1/stock"), headers=first.operator).status == 401
        assert request("GET", second.console("/api/v1/stock"), headers=second.operator).status == 200


def test_a_demo_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    """Nothing stays behind to hold ports and files."""
    with running(data=tmp_path / "town") as started:
        pids = [pid for (venue, process), pid in started.pids.items() if process != "broker"]
        started.process.kill()
        started.process.wait(10)
        wait_for(lambda: not any(alive(pid) for pid in pids), "the end of all processes", 10)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def demo_says(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "appliance.cli", "demo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_taken_port_is_said_before_anything_starts() -> None:
    """With the way out."""
    base = block_of_ports()
    with socket.create_server(("127.0.0.1", base + 10)):
        status, said = demo_says("--base-port", str(base))
    assert status == 1
    assert f"somebody else listens on port {base + 10}; stop that, or choose others with --base-port" in said
    assert "pid:" not in said


def test_a_bad_catalogue_or_too_many_venues_are_refused_with_reasons(tmp_path: Path) -> None:
    """The same messages as the import's."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("venues: []\nevents: []\n")
    base = str(block_of_ports())
    status, said = demo_says("--base-port", base, "--catalogue", str(bad))
    assert (status, "line 1: venues: is empty" in said) == (1, True)
    assert demo_says("--base-port", base, "--venues", "11")[1].strip().endswith("--venues 11 is not from 1 to 10")
