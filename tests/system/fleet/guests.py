"""Guests of a venue: a phone that joins its hotspot by DHCP and books through nginx, as JSON."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.support.phones import Answer, Phone

PORTAL = "http://tickets.home.arpa"
# nginx lets a phone make ten requests a second; a guest that is told to wait waits.
BUSY = (429, 503)


class Guest:
    """One phone at one venue; what it was sold is kept in ``tickets``."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.tickets: list[str] = []
        self.orders: list[str] = []

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send one request to the portal, again while it is busy."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        for _ in range(60):
            answer = self.phone.request(method, PORTAL + path, sent, headers=headers)
            if answer.status not in BUSY or b"limit-reached" in answer.body:
                return answer
            time.sleep(0.5)
        raise AssertionError(f"{method} {path}: busy for half a minute")

    def type_on_sale(self) -> dict[str, Any] | None:
        """The one ticket type, as this venue shows it; None before the catalogue arrived."""
        found = json.loads(self.ask("GET", "/api/v1/events").body)["events"]
        return next((kind for event in found for date in event["sessions"] for kind in date["ticket_types"]), None)

    def book(self, ticket_type: str, quantity: int = 1) -> str:
        """Hold and confirm; return ``""`` or the problem that the venue answered with."""
        held = self.ask("POST", "/api/v1/holds", {"items": [{"ticket_type": ticket_type, "quantity": quantity}]})
        if held.status != 201:
            return problem(held)
        ordered = self.ask("POST", "/api/v1/orders", {"hold": json.loads(held.body)["hold"]})
        if ordered.status != 201:
            return problem(ordered)
        order = json.loads(ordered.body)
        assert order["status"] == "confirmed", order
        self.orders.append(order["order"])
        self.tickets += [each["ticket"] for each in order["tickets"]]
        return ""

    def book_all(self, ticket_type: str, most: int) -> str:
        """Book one by one until refused or ``most`` were sold; return the refusal, ``""`` if there was none."""
        for _ in range(most):
            if refused := self.book(ticket_type):
                return refused
        return ""


def problem(answer: Answer) -> str:
    """The last word of a problem's type, such as ``sold-out-here``."""
    assert answer.status in {409, 410}, f"{answer.status}: {answer.text}"
    return str(json.loads(answer.body)["type"]).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]
