"""The stranger's ten minutes: book at one venue, see the stock move, scan, read the stub, meet every verdict."""

from __future__ import annotations

import io
import os
import signal
import time
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from tests.support.demo import Demo, wait_for
from tests.support.http import Answer, request


def sessions(demo: Demo, k: int) -> list[dict[str, Any]]:
    events = request("GET", demo.venue(k, "/api/v1/events")).json["events"]
    return [at for event in events for at in event["sessions"]]


def venue_of(demo: Demo, k: int) -> str:
    """The k-th venue's id, in the order the demo announced them."""
    names = [line.split()[1] for line in demo.lines if line.startswith("ready: ")]
    return names[k - 1]


def paid_type(demo: Demo, venue: str) -> dict[str, Any]:
    """The first priced type on sale for the first session that ``venue`` hosts."""
    for at in sorted(sessions(demo, 1), key=lambda each: each["starts_at"]):
        if at["venue"]["id"] == venue:
            for kind in at["ticket_types"]:
                if kind["state"] == "on_sale" and kind["price"]["amount"] != "0.00":
                    return kind
    raise AssertionError(f"nothing on sale hosted by {venue}")


def book(demo: Demo, k: int, kind: dict[str, Any], quantity: int = 1) -> dict[str, Any]:
    items = [{"ticket_type": kind["id"], "quantity": quantity}]
    held = request("POST", demo.venue(k, "/api/v1/holds"), {"items": items})
    assert held.status == 201, held
    order = request("POST", demo.venue(k, "/api/v1/orders"), {"hold": held.json["hold"], "name": "Zoë O'Hara"})
    assert order.status == 201, order
    return order.json


def pay(demo: Demo, k: int, order: dict[str, Any]) -> Answer:
    body = {"method": "cash", "amount": order["total"]}
    url = demo.venue(k, f"/api/v1/orders/{order['order']}/payments")
    return request("POST", url, body, headers=demo.staff)


def scan(demo: Demo, k: int, code: str) -> dict[str, Any]:
    answer = request("POST", demo.venue(k, "/api/v1/check-ins"), {"code": code}, headers=demo.staff)
    assert answer.status == 200, answer
    return answer.json


def sold(demo: Demo, kind: dict[str, Any]) -> int:
    quota = next(each for each in demo.stock() if kind["id"] in each["ticket_types"])
    return sum(device["sold"] for device in quota["devices"])


def test_a_sale_at_one_venue_reaches_the_console_and_both_venues_pages(demo: Demo) -> None:
    """The operator sees a sale within seconds, and conservation holds for every quota."""
    kind = paid_type(demo, venue_of(demo, 1))
    before = sold(demo, kind)
    book(demo, 1, kind, 2)
    wait_for(lambda: sold(demo, kind) == before + 2, "the sale in the console")
    for quota in demo.stock():
        out = sum(each["granted"] - each["returned"] + each["confirmed"] for each in quota["devices"])
        assert quota["pool"] + out == quota["limit"] + quota["extra"]


def test_unpaid_then_paid_then_admitted_then_already_admitted_then_undone(demo: Demo) -> None:
    """One ticket meets the verdicts in the order a door sees them."""
    order = book(demo, 1, paid_type(demo, venue_of(demo, 1)))
    code = order["tickets"][0]["code"]
    unpaid = scan(demo, 1, code)
    assert (unpaid["verdict"], unpaid["reason"]) == ("refused", "unpaid")
    assert pay(demo, 1, order).status in {200, 201}
    admitted = scan(demo, 1, code)
    assert admitted["verdict"] == "admitted"
    assert scan(demo, 1, code)["verdict"] == "already_admitted"
    undo = request("DELETE", demo.venue(1, f"/api/v1/check-ins/{admitted['check_in']}"), headers=demo.staff)
    assert undo.status == 204
    assert scan(demo, 1, code)["verdict"] == "admitted"


def test_another_venues_sale_is_admitted_offline_by_its_signature(demo: Demo) -> None:
    """Venue 1 is the door; venue 2 sold and took the money while both were cut off from the cloud."""
    kind = paid_type(demo, venue_of(demo, 1))
    for k in (1, 2):
        demo.link(k, up=False)
    try:
        order = book(demo, 2, kind)
        assert pay(demo, 2, order).status in {200, 201}
        fresh = request("GET", demo.venue(2, f"/api/v1/orders/{order['order']}")).json
        assert scan(demo, 2, fresh["tickets"][0]["receipt"])["reason"] == "wrong_session"
        assert scan(demo, 1, fresh["tickets"][0]["receipt"])["verdict"] == "admitted"
        assert scan(demo, 1, fresh["tickets"][0]["receipt"])["verdict"] == "already_admitted"
    finally:
        for k in (1, 2):
            demo.link(k, up=True)


def test_unknown_tampered_and_cancelled_codes_have_their_own_reasons(demo: Demo) -> None:
    """What is not admissible says why."""
    assert scan(demo, 1, "ZZZZ-ZZZZ")["reason"] == "unknown"
    order = book(demo, 1, paid_type(demo, venue_of(demo, 1)))
    receipt = order["tickets"][0]["receipt"]
    swapped = receipt[:-4] + ("AA" if receipt[-4:-2] != "AA" else "BB") + receipt[-2:]
    assert scan(demo, 1, swapped)["reason"] in {"bad_signature", "unknown"}
    gone = request("DELETE", demo.venue(1, f"/api/v1/orders/{order['order']}"))
    assert gone.status in {200, 202, 204}
    assert scan(demo, 1, order["tickets"][0]["code"])["reason"] == "cancelled"


@pytest.mark.fault(27)
def test_a_cancel_of_a_ticket_hosted_elsewhere_waits_for_that_door(demo: Demo) -> None:
    """Sold at 2, hosted at 1: cancel_pending until the door has voided it, then cancelled everywhere."""
    order = book(demo, 2, paid_type(demo, venue_of(demo, 1)))
    url = demo.venue(2, f"/api/v1/orders/{order['order']}")
    assert request("DELETE", url).status in {200, 202, 204}
    wait_for(lambda: request("GET", url).json["status"] == "cancelled", "the door's word")
    assert scan(demo, 1, order["tickets"][0]["receipt"])["reason"] == "cancelled"


def test_the_serial_scanner_admits_and_the_desk_prints_a_stub_with_a_readable_qr(demo: Demo) -> None:
    """The whole admit line, from a byte on a pty to ink on paper, read back by another decoder."""
    order = book(demo, 1, paid_type(demo, venue_of(demo, 1)))
    pay(demo, 1, order)
    ticket = request("GET", demo.venue(1, f"/api/v1/orders/{order['order']}")).json["tickets"][0]
    assert demo.control(1, "scan", {"code": ticket["code"]}).status < 300

    def printed() -> bool:
        answer = demo.control(1, "receipt.png", None)
        if answer.status != 200:
            return False
        found = zxingcpp.read_barcodes(Image.open(io.BytesIO(answer.body)))
        return any(ticket["receipt"] == each.text for each in found)

    wait_for(printed, "the stub of this very ticket")
    assert scan(demo, 1, ticket["code"])["verdict"] == "already_admitted"


def test_a_dead_printer_delays_paper_and_nothing_else(demo: Demo) -> None:
    """With paper out the door goes on; the stub comes when paper is back."""
    demo.control(1, "printer", {"fault": "paper_out"})
    order = book(demo, 1, paid_type(demo, venue_of(demo, 1)))
    pay(demo, 1, order)
    began = time.monotonic()
    assert scan(demo, 1, order["tickets"][0]["code"])["verdict"] == "admitted"
    assert time.monotonic() - began < 2
    assert demo.control(1, "printer", {"fault": None}).status < 300


def test_killed_processes_come_back_within_five_seconds(demo: Demo) -> None:
    """kill -9 of every process of a venue loses no order that was answered."""

    order = book(demo, 2, paid_type(demo, venue_of(demo, 1)))
    mine = venue_of(demo, 2)
    old = {key: pid for key, pid in demo.pids.items() if key[0] == mine}
    for pid in old.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: all(demo.pids[key] != pid for key, pid in old.items()), "restarted processes", 8)
    wait_for(lambda: _found(demo, order), "the order after the crash", 20)


def _found(demo: Demo, order: dict[str, Any]) -> bool:
    return request("GET", demo.venue(2, f"/api/v1/orders/{order['order']}")).status == 200
