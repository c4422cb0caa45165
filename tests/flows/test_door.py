"""The door over a real broker: who sold a ticket hears how its holder goes out and in, and a lost badge ends everywhere."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.test_two_venues import book, paid_type, pay, scan, sessions, venue_of
from tests.support.demo import Demo, running, wait_for
from tests.support.http import request

CATALOGUE = """
venues:
  - {{id: hall, name: The Hall, address: 1 North Street}}
  - {{id: yard, name: The Yard, address: 2 South Street}}
events:
  - slug: night
    title: One Night
    summary: Two rooms.
    sessions:
      - {{key: one, venue: hall, {times}, re_entry: yes, quotas: {{seats: 40}}, {types}}}
      - {{key: two, venue: yard, {times}, quotas: {{seats: 40}}, {types}}}
staff:
  - {{badge: A7, name: Alex, pin: "2468"}}
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Two venues with a date each; at the first one people may come back."""
    folder = tmp_path_factory.mktemp("town")
    starts = datetime.now(UTC) + timedelta(minutes=30)
    times = f"starts_at: {starts:%Y-%m-%d %H:%M}, ends_at: {starts + timedelta(hours=2):%Y-%m-%d %H:%M}, timezone: UTC"
    types = "ticket_types: [{name: Seat, price: 12.50 EUR, quota: seats, policy: strict}]"
    path = folder / "catalogue.yaml"
    path.write_text(CATALOGUE.format(times=times, types=types), "utf-8")
    with running(data=folder / "data", catalogue=path) as started:
        yield started


def way(town: Demo, code: str, where: str) -> str:
    answer = request("POST", town.venue(1, "/api/v1/check-ins"), {"code": code, "way": where}, headers=town.staff)
    assert answer.status == 200, answer
    return str(answer.json["verdict"])


def rows(town: Demo, venue: str, sql: str, *values: str) -> list[tuple[object, ...]]:
    """Read a device's own database."""
    assert town.data is not None
    [path] = town.data.glob(f"**/{venue}*/marquee.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql, values).fetchall()


def on_sale(town: Demo) -> bool:
    """Whether venue 2 can sell for the date of venue 1 by now."""
    here = [at for at in sessions(town, 2) if at["venue"]["id"] == venue_of(town, 1)]
    return any(kind["state"] == "on_sale" for at in here for kind in at["ticket_types"])


def test_the_seller_follows_a_ticket_out_and_in_again(town: Demo) -> None:
    """Sold at venue 2 for venue 1's date; every scan at door 1 arrives there in its place."""
    wait_for(lambda: on_sale(town), "stock at both venues")
    order = book(town, 2, paid_type(town, venue_of(town, 1)))
    assert pay(town, 2, order).status in {200, 201}
    receipt = request("GET", town.venue(2, f"/api/v1/orders/{order['order']}")).json["tickets"][0]["receipt"]
    ticket = order["tickets"][0]["ticket"]
    seller = venue_of(town, 2)

    def known() -> tuple[bool, bool]:
        """(came in, is outside) as the seller knows it."""
        [(came, left)] = rows(town, seller, "SELECT checked_in_by, left_by FROM ticket WHERE id = ?", ticket)
        return came is not None, left is not None

    assert scan(town, 1, receipt)["verdict"] == "admitted"
    wait_for(lambda: known() == (True, False), "the admission at the seller")
    assert way(town, receipt, "out") == "left"
    wait_for(lambda: known() == (True, True), "the exit at the seller")
    assert [way(town, receipt, each) for each in ("out", "in", "in")] == ["refused", "admitted", "already_admitted"]
    wait_for(lambda: known() == (True, False), "the re-entry at the seller")


@pytest.mark.slow
def test_a_badge_works_at_every_venue_until_it_is_revoked(town: Demo) -> None:
    """Issued on the command line in the cloud; verified by devices that were told the key, refused once they heard."""
    badge = marquee(town, "issue", "A7").strip()

    def sign_in(k: int) -> int:
        return request("POST", town.venue(k, "/api/v1/staff/tokens"), {"badge": badge, "pin": "2468"}).status

    def told(value: str) -> bool:
        """Whether both venues know a key of badges, or a lost badge."""
        heard = "SELECT 1 FROM badge_trust WHERE kind = ? OR value = ?"
        return all(rows(town, venue_of(town, k), heard, value, value) for k in (1, 2))

    wait_for(lambda: told("key"), "the key of badges")
    assert [sign_in(k) for k in (1, 2)] == [201, 201]
    serial = marquee(town, "list").split()[0]
    marquee(town, "revoke", serial)
    wait_for(lambda: told(serial), "the word of the lost badge")
    assert [sign_in(k) for k in (1, 2)] == [401, 401]


def marquee(town: Demo, *words: str) -> str:
    assert town.data is not None
    config = town.data / "cloud" / "settings.toml"
    command = [sys.executable, "-m", "appliance.cli", "--config", str(config), "badge", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
