"""Who hears of what: the issuer of what the door did, the door of what the issuer did, nobody of his own."""

from __future__ import annotations

import pytest

from mqtt_bridge.cloud.routing import Fact, Route, Sale, about, route
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    OrderCancelled,
    OrderConfirmed,
    PaymentTaken,
    TicketsVoided,
)

DOORS = {"hall": "door", "yard": "issuer"}
SALE = Sale("issuer", frozenset({"hall"}))
CONFIRMED = OrderConfirmed("o", "CODE", "promised", (), (), 1)
PAID = PaymentTaken("o", "p", "cash", 1, "EUR", "A7", True, ())
ADMITTED = CheckedIn("c", "admitted", None, "t", "s", "A7", 1)


@pytest.mark.parametrize(
    ("body", "origin", "devices"),
    [
        (CONFIRMED, "issuer", {"door"}),
        (PAID, "issuer", {"door"}),
        (PAID, "door", {"issuer"}),
        (PAID, "third", {"door", "issuer"}),
        (CancelRequested("o", ()), "issuer", {"door"}),
        (TicketsVoided("o", ()), "door", {"issuer"}),
        (CancelRefused("o", ()), "door", {"issuer"}),
        (OrderCancelled("o", (), ()), "issuer", {"door"}),
        (ADMITTED, "door", {"issuer"}),
        (CheckInUndone("c", "t", "A7"), "door", {"issuer"}),
    ],
)
def test_a_fact_goes_to_the_other_device_it_concerns(body: Fact, origin: str, devices: set[str]) -> None:
    assert route(body, origin, SALE, DOORS) == Route(frozenset(devices))


def test_what_a_device_did_with_its_own_tickets_at_its_own_door_concerns_nobody_else() -> None:
    sale = Sale("issuer", frozenset({"yard"}))
    assert route(CONFIRMED, "issuer", sale, DOORS) == Route()
    assert route(ADMITTED, "issuer", sale, DOORS) == Route()


def test_an_order_for_two_venues_goes_to_both_doors_and_waits_for_a_missing_one() -> None:
    sale = Sale("third", frozenset({"hall", "yard", "quay"}))
    assert route(CONFIRMED, "third", sale, DOORS) == Route(frozenset({"door", "issuer"}), frozenset({"venue:quay"}))


def test_a_fact_about_an_unknown_sale_waits_for_it() -> None:
    assert route(PAID, "door", None, DOORS) == Route(waits_for=frozenset({"order:o"}))
    assert route(ADMITTED, "door", None, DOORS) == Route(waits_for=frozenset({"ticket:t"}))


@pytest.mark.parametrize("verdict", ["refused", "already_admitted"])
def test_a_scan_that_admitted_nobody_is_recorded_and_not_passed_on(verdict: str) -> None:
    assert about(CheckedIn("c", verdict, None, "t", "s", "A7", 1)) is None  # type: ignore[arg-type]
