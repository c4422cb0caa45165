"""A venue without a link takes requests; healed, the cloud answers, and pages and doors of both venues know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.flows.test_cut_off import LIMIT, available, catalogue, ticket_type
from tests.flows.test_two_venues import pay, scan
from tests.support.demo import Demo, running, wait_for
from tests.support.http import Answer, request

__all__ = ["catalogue"]


def hold(demo: Demo, k: int, kind: str, quantity: int) -> Answer:
    items = [{"ticket_type": kind, "quantity": quantity}]
    return request("POST", demo.venue(k, "/api/v1/holds"), {"items": items})


def order(demo: Demo, k: int, held: Answer) -> dict[str, Any]:
    answer = request("POST", demo.venue(k, "/api/v1/orders"), {"hold": held.json["hold"]})
    assert answer.status == 201, answer
    return answer.json


def ask(demo: Demo, k: int, kind: str, quantity: int) -> dict[str, Any]:
    held = hold(demo, k, kind, quantity)
    assert held.json.get("requested") is True, held
    return order(demo, k, held)


def state(demo: Demo, k: int) -> str:
    listed = request("GET", demo.venue(k, "/api/v1/events")).json["events"][0]["sessions"][0]["ticket_types"][0]
    return str(listed["state"])


def seen(demo: Demo, k: int, wanted: dict[str, Any]) -> dict[str, Any]:
    return request("GET", demo.venue(k, f"/api/v1/orders/{wanted['order']}")).json


def test_requests_taken_without_a_link_are_answered_when_it_is_back(catalogue: Path, tmp_path: Path) -> None:
    """Past its stock a cut-off venue takes requests; after healing some get tickets, some a no, one was taken back."""
    text = catalogue.read_text().replace("policy: strict", "policy: provisional")
    catalogue.write_text(text.replace("limits: {", "limits: {request_share: 1.0, share_per_client: 1.0, "))
    with running(data=tmp_path / "box", catalogue=catalogue) as demo:
        kind = ticket_type(demo, 1)
        wait_for(lambda: available(demo, 1) and available(demo, 2), "grants at both venues")
        demo.link(2, up=False)
        sold = 0
        while (left := available(demo, 2)) > 0:
            order(demo, 2, hold(demo, 2, kind, min(left, 8)))
            sold += min(left, 8)
        assert state(demo, 2) == "on_request"

        early, back, late = (ask(demo, 2, kind, quantity) for quantity in (2, 3, 8))
        assert available(demo, 2) == 0
        assert [each["receipt"] for each in early["tickets"]] == ["", ""]
        assert scan(demo, 2, early["tickets"][0]["code"])["verdict"] == "refused"
        assert pay(demo, 2, early).status == 422
        gone = request("DELETE", demo.venue(2, f"/api/v1/orders/{back['order']}"))
        assert (gone.status, gone.json["status"]) == (200, "cancelled")

        while (left := available(demo, 1)) > 3:  # the hall sells most of what is left while the yard is dark
            order(demo, 1, hold(demo, 1, kind, min(left - 3, 8)))
            sold += min(left - 3, 8)

        demo.link(2, up=True)
        wait_for(lambda: seen(demo, 2, early)["status"] == "confirmed", "tickets for the first who asked", 30)
        wait_for(lambda: seen(demo, 2, late)["status"] == "refused", "a no for what can never be met", 30)
        assert seen(demo, 2, late)["refusal"] == "sold_out"
        assert seen(demo, 2, back)["status"] == "cancelled"
        fresh = seen(demo, 2, early)
        assert all(each["receipt"].startswith("MQ1:") for each in fresh["tickets"])

        assert pay(demo, 2, early).status in {200, 201}
        code = fresh["tickets"][0]["code"]
        wait_for(lambda: scan(demo, 1, code)["verdict"] == "admitted", "the door of the other venue", 20)

        wait_for(lambda: all(each["unsynced"] == 0 for each in demo.stock()[0]["devices"]), "empty outboxes")
        stock = demo.stock()[0]
        valid = sum(each["sold"] - each["cancelled"] + each["confirmed"] for each in stock["devices"])
        assert valid == sold + 2 <= LIMIT
        out = sum(each["granted"] - each["returned"] + each["confirmed"] for each in stock["devices"])
        assert stock["pool"] + out == LIMIT
