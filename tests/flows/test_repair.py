"""Dates cancelled, moved and rebooked over a real broker: holders' pages, both doors and the desk's money follow."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.flows.test_two_venues import book, pay, scan, sessions
from tests.support.demo import Demo, running, wait_for
from tests.support.http import request

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Operator:
    """A browser of the operator, signed in at the console."""

    def __init__(self, demo: Demo) -> None:
        self.port = demo.base_port + 10
        self.cookie = ""
        self.cookie = self._send("POST", "/sign-in", {"token": demo.word("operator-token:")})[1].split(";")[0]

    def _send(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[str, str, str]:
        """Return (location, cookie, text) of one answer, redirects not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, urlencode(fields or {}), {**FORM, "Cookie": self.cookie})
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status < 400, text
            return answer.getheader("Location", ""), answer.getheader("Set-Cookie", ""), text
        finally:
            connection.close()

    def press(self, path: str, **fields: str) -> str:
        """Send a form and return the page it leads to."""
        location, _cookie, text = self._send("POST", path, fields)
        return self.page(location) if location else text

    def page(self, path: str) -> str:
        """Read a page."""
        return self._send("GET", path)[2]


def catalogue_in(folder: Path) -> Path:
    """Two dates of one event at two venues, both on right now, and one that is moved."""
    starts = datetime.now(UTC) + timedelta(minutes=30)

    def session(key: str, venue: str, quota: str) -> str:
        times = (
            f"starts_at: {starts:%Y-%m-%d %H:%M}, ends_at: {starts + timedelta(hours=2):%Y-%m-%d %H:%M}, timezone: UTC"
        )
        kinds = f"ticket_types: [{{name: Seat, price: 12.50 EUR, quota: {quota}, policy: strict}}]"
        return f"      - {{key: {key}, venue: {venue}, {times}, quotas: {{{quota}: 40}}, {kinds}}}\n"

    text = "venues:\n  - {id: hall, name: Old Hall, address: A}\n  - {id: yard, name: The Yard, address: B}\nevents:\n"
    for slug, dates in (("night", [("one", "hall"), ("two", "yard")]), ("tide", [("moved", "hall")])):
        text += f"  - slug: {slug}\n    title: {slug.title()}\n    summary: S\n    sessions:\n"
        text += "".join(session(key, venue, f"q-{key}") for key, venue in dates)
    path = folder / "town.yaml"
    path.write_text(text + 'staff:\n  - {badge: A7, name: Amira, pin: "4711"}\n', "utf-8")
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(catalogue=catalogue_in(tmp_path_factory.mktemp("town"))) as started:
        yield started


def date(demo: Demo, venue: str, slug: str) -> tuple[str, dict[str, Any]]:
    """The (session id, ticket type) of an event at a venue."""
    events = request("GET", demo.venue(1, "/api/v1/events")).json["events"]
    at = next(at for each in events if each["slug"] == slug for at in each["sessions"] if at["venue"]["id"] == venue)
    return at["id"], at["ticket_types"][0]


def state(demo: Demo, k: int, kind: dict[str, Any]) -> str:
    found = [each for at in sessions(demo, k) for each in at["ticket_types"] if each["id"] == kind["id"]]
    return str(found[0]["state"])


def order_at(demo: Demo, k: int, order: str) -> dict[str, Any]:
    return request("GET", demo.venue(k, f"/api/v1/orders/{order}")).json


def known(operator: Operator, session: str, bookings: int) -> None:
    wait_for(lambda: f"<dd>{bookings}</dd>" in operator.page(f"/sessions/{session}"), "the sales at the console")


def conserved(demo: Demo) -> None:
    for quota in demo.stock():
        out = sum(each["granted"] - each["returned"] + each["confirmed"] for each in quota["devices"])
        assert quota["pool"] + out == quota["limit"] + quota["extra"]
        valid = sum(each["sold"] - each["cancelled"] + each["confirmed"] for each in quota["devices"])
        assert valid <= quota["limit"] + quota["extra"]
    truth = request("GET", f"http://127.0.0.1:{demo.base_port + 11}/demo/v1/state").json["truth"]
    assert truth["wrong"] == []
    wait_for(lambda: _agrees(demo), "every file and the cloud to agree")


def _agrees(demo: Demo) -> bool:
    truth = request("GET", f"http://127.0.0.1:{demo.base_port + 11}/demo/v1/state").json["truth"]
    return all(each["issued"] == each["known"] for each in truth["quotas"])


def test_a_moved_date_is_admitted_at_its_new_door_only(demo: Demo) -> None:
    """Sold at both venues, hosted by the first; then it moves to the second, whose door admits by the code alone."""
    operator = Operator(demo)
    session, kind = date(demo, "hall", "tide")
    orders = [book(demo, k, kind) for k in (1, 2)]
    for k, order in zip((1, 2), orders, strict=True):
        assert pay(demo, k, order).status == 201
    known(operator, session, 2)
    operator.press(f"/sessions/{session}/move", venue="yard")
    first, second = (order["tickets"][0]["code"] for order in orders)
    wait_for(lambda: "moved there" in scan(demo, 1, first)["words"], "the old door's words")
    wait_for(lambda: scan(demo, 2, first)["verdict"] == "already_admitted", "the new door to admit it")
    assert scan(demo, 2, second)["verdict"] == "admitted"
    assert scan(demo, 1, second)["reason"] == "wrong_session"
    conserved(demo)


def test_a_cancelled_date_is_rebooked_or_paid_back(demo: Demo) -> None:
    """One booking goes to the other venue, where its old code opens the door; the other gets its money at the desk."""
    operator = Operator(demo)
    session, kind = date(demo, "hall", "night")
    target, _ = date(demo, "yard", "night")
    goes, stays_home = book(demo, 1, kind, 2), book(demo, 2, kind)
    assert pay(demo, 1, goes).status == 201
    assert pay(demo, 2, stays_home).status == 201
    known(operator, session, 2)
    operator.press(f"/sessions/{session}/cancel", notice="Storm.")
    wait_for(lambda: state(demo, 1, kind) == state(demo, 2, kind) == "cancelled", "both listings")
    assert scan(demo, 1, goes["tickets"][0]["code"])["reason"] == "cancelled"
    assert scan(demo, 2, stays_home["tickets"][0]["receipt"])["reason"] == "cancelled"
    held = request("POST", demo.venue(1, "/api/v1/holds"), {"items": [{"ticket_type": kind["id"], "quantity": 1}]})
    assert (held.status, held.json["type"].rpartition("/")[2]) == (409, "sale-closed")

    numbers = _entries(operator.page("/repair"), goes["code"], stays_home["code"])
    operator.press(f"/repair/{numbers[0]}", remedy="rebook", target=target, oversell="0", amount="0")
    operator.press(f"/repair/{numbers[1]}", remedy="refund", target="", oversell="0", amount="1250")

    wait_for(lambda: len(order_at(demo, 1, goes["order"])["tickets"]) == 4, "the new tickets at their issuer")
    tickets = order_at(demo, 1, goes["order"])["tickets"]
    new = {each["ticket"]: each for each in tickets if each["replaced_by"] is None}
    assert all(each["receipt"] for each in new.values())
    old = next(each for each in tickets if each["replaced_by"] in new)
    wait_for(lambda: scan(demo, 2, old["code"])["verdict"] == "already_admitted", "the other door to admit it")
    assert scan(demo, 2, new[old["replaced_by"]]["receipt"])["verdict"] == "already_admitted"
    assert scan(demo, 1, old["receipt"])["reason"] == "wrong_session"

    order = stays_home["order"]
    wait_for(lambda: order_at(demo, 2, order)["refund"]["amount"] == "12.50", "the refund at the issuer")
    wait_for(lambda: order_at(demo, 2, order)["status"] == "cancelled", "the door's word")
    url, body = demo.venue(2, f"/api/v1/orders/{order}/refunds"), {"method": "cash", "amount": stays_home["total"]}
    back = request("POST", url, body, headers=demo.staff)
    assert (back.status, back.json["refund"]["amount"]) == (201, "0.00")
    assert request("POST", url, body, headers=demo.staff).status == 422
    conserved(demo)


def _entries(page: str, *codes: str) -> list[str]:
    """The numbers of the entries of these bookings."""
    shown = [f"{code[:4]}-{code[4:]}" for code in codes]
    found = []
    for code in shown:
        part = page.partition(f"Booking {code}")[2]
        found.append(part.partition('action="/repair/')[2].partition('"')[0])
    return found
