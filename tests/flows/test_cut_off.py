"""Two venues without a link sell exactly what they have, and the rest once it is healed."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.demo import Demo, running, wait_for
from tests.support.http import request

LIMIT = 25
CATALOGUE = """
venues:
  - {{id: hall, name: The Hall, address: 1 North Street}}
  - {{id: yard, name: The Yard, address: 2 South Street}}
events:
  - slug: night
    title: One Night
    summary: One room, twenty-five seats.
    sessions:
      - key: only
        venue: hall
        starts_at: "{starts}"
        ends_at: "{ends}"
        timezone: Europe/Berlin
        quotas: {{seats: 25}}
        ticket_types:
          - {{name: Seat, price: {{amount: "12.50", currency: EUR}}, quota: seats, policy: strict}}
limits: {{new_clients_per_minute: 1000}}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A catalogue with one quota of 25."""
    now = datetime.now(UTC)
    path = tmp_path / "catalogue.yaml"
    times = {
        "starts": (now + timedelta(hours=1)).isoformat(timespec="seconds"),
        "ends": (now + timedelta(hours=4)).isoformat(timespec="seconds"),
    }
    path.write_text(CATALOGUE.format(**times))
    return path


def ticket_type(demo: Demo, k: int) -> str:
    return request("GET", demo.venue(k, "/api/v1/events")).json["events"][0]["sessions"][0]["ticket_types"][0]["id"]


def available(demo: Demo, k: int) -> int:
    return request("GET", demo.venue(k, "/api/v1/availability")).json["items"][0]["available"]


def buy(demo: Demo, k: int, kind: str) -> tuple[int, str]:
    """Book one ticket as a new client; returns the status that ended it and the ticket or problem."""
    held = request("POST", demo.venue(k, "/api/v1/holds"), {"items": [{"ticket_type": kind, "quantity": 1}]})
    if held.status != 201:
        return held.status, held.json["type"].rsplit("/", 1)[-1]
    order = request("POST", demo.venue(k, "/api/v1/orders"), {"hold": held.json["hold"]})
    assert order.status == 201, order
    return 201, order.json["tickets"][0]["ticket"]


def rush(demo: Demo, each: int, kind: str) -> list[tuple[int, str]]:
    """``each`` clients at both venues at once."""
    with ThreadPoolExecutor(2 * each) as crowd:
        return list(crowd.map(lambda n: buy(demo, 1 + n % 2, kind), range(2 * each)))


def sold_in_cloud(demo: Demo) -> int:
    return sum(device["sold"] for device in demo.stock()[0]["devices"])


@pytest.mark.fault(1, 2)
def test_cut_venues_sell_exactly_what_they_had_and_the_rest_after_healing(catalogue: Path, tmp_path: Path) -> None:
    """40 clients at two cut-off venues get exactly the granted stock, survive kill -9, and converge to 25 of 25."""
    with running(data=tmp_path / "box", catalogue=catalogue) as demo:
        kind = ticket_type(demo, 1)
        wait_for(lambda: available(demo, 1) and available(demo, 2), "grants at both venues")
        for k in (1, 2):
            demo.link(k, up=False)
        feasible = available(demo, 1) + available(demo, 2)
        assert 20 <= feasible <= LIMIT
        first = rush(demo, 20, kind)
        sold = [ticket for status, ticket in first if status == 201]
        refused = [answer for answer in first if answer[0] != 201]
        assert len(sold) == feasible
        assert {status for status, _ in refused} == {409}
        assert {problem for _, problem in refused} <= {"sold-out-here", "sold-out"}

        killed = {key: pid for key, pid in demo.pids.items() if key[0] in {"hall", "yard"}}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: all(demo.pids[key] != pid for key, pid in killed.items()), "new processes", 10)
        wait_for(lambda: _answers(demo), "restarted venues", 30)
        assert available(demo, 1) + available(demo, 2) == 0

        for k in (1, 2):
            demo.link(k, up=True)
        wait_for(lambda: sold_in_cloud(demo) == feasible, "the cloud to know every sale", 40)
        rest: list[str] = []

        def sell_on() -> bool:
            rest.extend(ticket for status, ticket in rush(demo, 2, kind) if status == 201)
            return len(rest) + feasible >= LIMIT

        wait_for(sell_on, "the rest to be sold", 40)
        wait_for(lambda: sold_in_cloud(demo) == LIMIT, "all 25 in the cloud", 30)
        assert len({*sold, *rest}) == LIMIT
        wait_for(lambda: all(device["unsynced"] == 0 for device in demo.stock()[0]["devices"]), "empty outboxes")
        assert {status for status, _ in rush(demo, 2, kind)} == {409}


def _answers(demo: Demo) -> bool:
    return all(request("GET", demo.venue(k, "/readyz"), timeout_s=2).status == 200 for k in (1, 2))
