"""One fair line over two venues and a real broker, and each venue's own line when it is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo import Demo, running, wait_for
from tests.support.http import Answer, request

SEATS = 6
HALL, YARD = 1, 2
CATALOGUE = """
venues:
  - {{id: hall, name: The Hall, address: 1 North Street}}
  - {{id: yard, name: The Yard, address: 2 South Street}}
events:
  - slug: night
    title: One Night
    summary: One room, six seats.
    sessions:
      - key: only
        venue: hall
        starts_at: "{starts}"
        ends_at: "{ends}"
        timezone: Europe/Berlin
        quotas: {{seats: 6}}
        ticket_types:
          - {{name: Seat, price: {{amount: "12.50", currency: EUR}}, quota: seats, policy: strict}}
limits: {{new_clients_per_minute: 1000, offer_minutes: 0.1}}
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Six seats at the hall, offers of six seconds."""
    folder = tmp_path_factory.mktemp("waitlist")
    now = datetime.now(UTC)
    times = {
        "starts": (now + timedelta(hours=1)).isoformat(timespec="seconds"),
        "ends": (now + timedelta(hours=4)).isoformat(timespec="seconds"),
    }
    path: Path = folder / "catalogue.yaml"
    path.write_text(CATALOGUE.format(**times))
    with running(data=folder / "data", catalogue=path) as started:
        yield started


def seat(demo: Demo) -> str:
    events = request("GET", demo.venue(HALL, "/api/v1/events")).json["events"]
    return str(events[0]["sessions"][0]["ticket_types"][0]["id"])


def hold(demo: Demo, k: int) -> Answer:
    return request("POST", demo.venue(k, "/api/v1/holds"), {"items": [{"ticket_type": seat(demo), "quantity": 1}]})


@cache
def sell_out(demo: Demo) -> list[str]:
    """Buy everything there is, at both venues; returns the orders of the hall."""
    orders: list[str] = []
    for k in (HALL, YARD):

        def gone(k: int = k) -> bool:
            held = hold(demo, k)
            while held.status == 201:
                order = request("POST", demo.venue(k, "/api/v1/orders"), {"hold": held.json["hold"]})
                if k == HALL:
                    orders.append(order.json["order"])
                held = hold(demo, k)
            return True

        wait_for(gone, "the last ticket")

    def nothing_left() -> bool:
        return sum(each["sold"] - each["cancelled"] for each in demo.stock()[0]["devices"]) == SEATS

    wait_for(nothing_left, "the sales in the cloud")
    return orders


def join(demo: Demo, k: int, quantity: int = 1) -> str:
    body = {"items": [{"ticket_type": seat(demo), "quantity": quantity}]}
    answer = request("POST", demo.venue(k, "/api/v1/waitlist"), body)
    assert answer.status == 201, answer
    return demo.venue(k, f"/api/v1/waitlist/{answer.json['entry']}")


def look(entry: str) -> dict[str, Any]:
    return request("GET", entry).json


def cancel(demo: Demo, order: str) -> None:
    assert request("DELETE", demo.venue(HALL, f"/api/v1/orders/{order}")).status == 200


def test_a_cancel_at_one_venue_serves_who_joined_first_at_another_then_the_next(demo: Demo) -> None:
    """The hall has somebody waiting too, and walk-ups; the yard's guest came first and is served first."""
    orders = sell_out(demo)
    first = join(demo, YARD)
    wait_for(lambda: demo.stock()[0]["waiting"] == 1, "the yard's guest in line")
    second = join(demo, HALL)
    wait_for(lambda: look(second)["position"] == 2, "the place behind the yard's guest")
    cancel(demo, orders[0])
    assert look(second)["state"] == "waiting"
    assert hold(demo, HALL).status == 409
    wait_for(lambda: look(first)["state"] == "offered", "the yard's offer")
    assert look(second)["state"] == "waiting"
    wait_for(lambda: look(first)["state"] == "lapsed", "the end of the offer")
    wait_for(lambda: look(second)["state"] == "offered", "the hall's offer")
    taken = request("POST", demo.venue(HALL, "/api/v1/orders"), {"hold": look(second)["hold"]})
    assert taken.status == 201, taken
    assert look(second)["state"] == "taken"
    assert look(first)["state"] == "lapsed"


@pytest.mark.fault(2)
def test_with_the_link_cut_each_venue_serves_its_own_and_nothing_is_sold_twice(demo: Demo) -> None:
    """Promotion on a cancel, offline; after healing the totals still add up."""
    orders = sell_out(demo)
    far = join(demo, YARD)
    demo.link(HALL, up=False)
    try:
        near = join(demo, HALL)
        cancel(demo, orders[-1])
        assert look(near)["state"] == "offered"
        assert hold(demo, HALL).status == 409
        taken = request("POST", demo.venue(HALL, "/api/v1/orders"), {"hold": look(near)["hold"]})
        assert taken.status == 201, taken
        assert look(far)["state"] == "waiting"
    finally:
        demo.link(HALL, up=True)

    def settled() -> bool:
        stock = demo.stock()[0]
        sold = sum(each["sold"] - each["cancelled"] for each in stock["devices"])
        unsynced = sum(each["unsynced"] for each in stock["devices"])
        return sold == SEATS and unsynced == 0 and look(far)["position"] == 1

    wait_for(settled, "both venues in agreement")
