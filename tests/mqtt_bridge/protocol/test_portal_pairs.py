from __future__ import annotations

import pytest

from mqtt_bridge.protocol.portal_pairs import LONGEST_NAME, PortalPair, is_public_name, name_for

LABEL = "a" * 63


@pytest.mark.parametrize(
    "name",
    [
        "tickets.example.org",
        "a.b",
        "1.example",
        "xn--4ca.example",
        "a-b.c-d",
        ".".join([LABEL] * 3),
        f"{LABEL}.{LABEL}",
    ],
)
def test_a_name_that_phones_can_find_is_one(name: str) -> None:
    assert is_public_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost",
        "Tickets.example.org",
        "tickets.example.org.",
        "tickets..example",
        ".example.org",
        "../example.org",
        "a/b.example",
        "a b.example",
        "a_b.example",
        "-a.example",
        "a-.example",
        "*.example.org",
        "192.168.4.1",
        "tickets.example.org\n",
        "tickets.example.org\0",
        "t\u00efckets.example",
        f"{LABEL}a.example",
        ".".join([LABEL] * 4),
        "a." * (LONGEST_NAME // 2) + "aa",
    ],
)
def test_nothing_else_is_one(name: str) -> None:
    """It becomes the name of a file and a word in a line."""
    assert not is_public_name(name)


def test_a_pair_that_is_printed_shows_no_key() -> None:
    assert "secret" not in repr([PortalPair("a.b", "", "secret")])


@pytest.mark.parametrize(
    ("name", "device", "found"),
    [
        ("tickets.example.org", "hall-1", "tickets.example.org"),
        ("*.tickets.example.org", "hall-1", "hall-1.tickets.example.org"),
        ("*.tickets.example.org", "hall_1.a", "hall-1-a.tickets.example.org"),
        ("*.tickets.example.org", "hall-", "hall.tickets.example.org"),
        ("*.tickets.example.org", LABEL, f"{LABEL}.tickets.example.org"),
    ],
)
def test_a_star_stands_for_the_name_of_a_device(name: str, device: str, found: str) -> None:
    assert name_for(name, device) == found
    assert is_public_name(found)
