from __future__ import annotations

import itertools
from typing import get_args

import pytest

from appliance.domain import captive
from appliance.domain.captive import Action, Family, State


def test_the_table_is_complete_and_never_leads_back() -> None:
    order = {"captive": 0, "entered": 1, "accepted": 2}
    assert set(captive.TRANSITIONS) == set(itertools.product(get_args(State), get_args(Action)))
    for (state, action), after in captive.TRANSITIONS.items():
        assert order[after] >= order[state]
        assert captive.step(after, action) == after, "the same tap twice does one thing"


@pytest.mark.parametrize("family", get_args(Family))
def test_nobody_hears_that_all_is_well_before_a_tap_and_everybody_does_after_they_accepted(family: Family) -> None:
    assert not captive.is_open("captive", family)
    assert captive.is_open("accepted", family)


def test_a_window_that_would_close_in_the_middle_of_a_booking_stays_until_its_owner_says_so() -> None:
    assert not captive.is_open("entered", "android")
    assert not captive.is_open("entered", "chromeos")
    assert not captive.is_open("entered", "other"), "of a stranger the worst is assumed"
    assert captive.is_open("entered", "apple"), "Cancel would leave the Wi-Fi"


@pytest.mark.parametrize(
    ("host", "path", "family", "status", "body"),
    [
        ("captive.apple.com", "/hotspot-detect.html", "apple", 200, "Success"),
        ("captive.apple.com", "/", "apple", 200, "Success"),
        ("connectivitycheck.gstatic.com", "/generate_204", "android", 204, ""),
        ("www.msftconnecttest.com", "/connecttest.txt", "windows", 200, "Microsoft Connect Test"),
        ("www.msftncsi.com", "/ncsi.txt", "windows", 200, "Microsoft NCSI"),
        ("detectportal.firefox.com", "/success.txt", "firefox", 200, "success"),
        ("detectportal.firefox.com", "/canonical.html", "firefox", 200, "captive-portal"),
        ("www.gstatic.com", "/generate_204", "chromeos", 204, ""),
        ("spectrum.s3.amazonaws.com", "/kindle-wifi/wifistub.html", "kindle", 200, "81ce4465"),
    ],
)
def test_every_system_is_known_by_what_it_asks(host, path, family, status, body) -> None:
    found = captive.probe(host, path)
    assert found is not None
    assert (found.family, found.success.status) == (family, status)
    assert body in found.success.body
    assert host in captive.HOSTS


def test_other_pages_of_the_same_names_are_nobodys_question() -> None:
    assert captive.probe("www.google.com", "/search") is None
    assert captive.probe("www.msftconnecttest.com", "/redirect") is None
    assert captive.probe("example.org", "/generate_204") is None


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("CaptiveNetworkSupport-433.0.0.0.2 wispr", "apple"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "apple"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36", "android"),
        ("Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B)", "android"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/120.0.0.0", "chromeos"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "windows"),
        ("Microsoft NCSI", "windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/60.0.3112.32 Safari/537.36", "other"),
        ("", "other"),
    ],
)
def test_a_user_agent_names_a_family(agent: str, family: str) -> None:
    assert captive.family_of(agent) == family
