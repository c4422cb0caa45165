"""The gateway's rules: what an address needs, and how long a token is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.clock import Now
from appliance.domain.gateway import Facts, is_good, need_of, status_of

NOW = Now(wall_ms=0, boot_ms=1000, boot_id="b", trusted=False)


@pytest.mark.parametrize(
    ("method", "path", "held", "status"),
    [
        ("GET", "/staff/sign-in", None, 204),
        ("POST", "/staff/sign-in/passkey/options", None, 204),
        ("GET", "/staff/sign-in/../orders", None, 403),
        ("GET", "/staff/sign-inn", None, 401),
        ("GET", "/staff/", None, 401),
        ("GET", "/staff/orders", ("staff", "desk"), 204),
        ("GET", "/staff/orders", ("viewer", "watch"), 403),
        ("GET", "/live/x/stream.m3u8", ("viewer", "watch"), 204),
        ("GET", "/live/x/stream.m3u8", ("staff", "desk"), 204),
        ("GET", "/live/x/stream.m3u8", ("attendee", "order"), 403),
        ("GET", "/live/", ("viewer", "watch"), 403),
        ("GET", "/holds/x", ("attendee", "hold"), 204),
        ("GET", "/holds/x", ("attendee", "order-manage"), 403),
        ("GET", "/tickets/x", ("attendee", "order-view"), 204),
        ("GET", "/tickets/x", ("attendee", "order-manage"), 204),
        ("POST", "/tickets/x", ("attendee", "order-view"), 403),
        ("GET", "/tickets/x/cancel", ("attendee", "order-view"), 403),
        ("POST", "/tickets/x/cancel", ("attendee", "order-manage"), 204),
        ("GET", "/waitlist/x", ("attendee", "waitlist"), 204),
        ("GET", "/", ("staff", "desk"), 403),
        ("GET", "/internal/token", ("staff", "desk"), 403),
        ("GET", "/staff/../live", ("staff", "desk"), 403),
        ("GET", "", None, 403),
    ],
)
def test_every_address_needs_its_own_audience_and_purpose_and_what_is_unknown_is_closed(method, path, held, status):
    assert status_of(need_of(method, path), held) == status


def facts(**changed: object) -> Facts:
    plain = {
        "issued_here": True,
        "boot": "b",
        "expires_boot_ms": 2000,
        "door_open": False,
        "revoked": False,
        "void": False,
    }
    return Facts(**{**plain, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "good"),
    [
        ({}, True),
        ({"expires_boot_ms": 1000}, False),
        ({"boot": "earlier", "expires_boot_ms": 10**9}, False),
        ({"boot": "earlier", "door_open": True}, False),
        ({"issued_here": False, "boot": "elsewhere", "expires_boot_ms": 10**9}, False),
        ({"issued_here": False, "boot": "elsewhere", "expires_boot_ms": 0, "door_open": True}, True),
        ({"issued_here": False, "door_open": True, "revoked": True}, False),
        ({"void": True}, False),
    ],
)
def test_a_token_lives_by_boot_time_where_it_was_made_and_by_its_date_elsewhere(changed, good):
    assert is_good(facts(**changed), NOW, "b") is good


@given(st.builds(Facts, st.booleans(), st.text(), st.integers(), st.booleans(), st.booleans(), st.booleans()))
def test_what_was_revoked_or_voided_is_never_good_whatever_else_is_true(drawn: Facts) -> None:
    if drawn.revoked or drawn.void:
        assert not is_good(drawn, NOW, drawn.boot)
