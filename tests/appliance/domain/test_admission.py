from __future__ import annotations

from itertools import product

import pytest

from appliance.domain.admission import Decision, Facts, Proof, decide, decide_exit, door_open, words
from appliance.domain.clock import HOUR_MS, MINUTE_MS, Now
from mqtt_bridge.protocol.catalogue import EventSession

START = 1_800_000_000_000
AT = EventSession("s", "k", "north", START, START + 2 * HOUR_MS, "UTC", (), ())
GOOD = {"proof": "known", "door_open": True, "paid": True}


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        ({"proof": "unknown"}, "refused", "unknown"),
        ({"proof": "unknown_issuer"}, "refused", "unknown_issuer"),
        ({"proof": "bad_signature"}, "refused", "bad_signature"),
        ({**GOOD}, "admitted", None),
        ({**GOOD, "door_open": False}, "refused", "wrong_session"),
        ({**GOOD, "voided": True}, "refused", "cancelled"),
        ({**GOOD, "called_off": True}, "refused", "cancelled"),
        ({**GOOD, "called_off": True, "door_open": False}, "refused", "cancelled"),
        ({**GOOD, "status": "cancelled"}, "refused", "cancelled"),
        ({**GOOD, "status": "cancel_pending"}, "admitted", None),
        ({**GOOD, "status": "requested"}, "refused", "requested"),
        ({**GOOD, "status": "pending"}, "refused", "pending"),
        ({**GOOD, "status": "refused"}, "refused", "refused"),
        ({**GOOD, "paid": False}, "refused", "unpaid"),
        ({**GOOD, "admitted": True}, "already_admitted", None),
        ({**GOOD, "admitted": True, "paid": False}, "already_admitted", None),
        ({**GOOD, "admitted": True, "voided": True}, "refused", "cancelled"),
        ({**GOOD, "admitted": True, "outside": True}, "refused", "no_re_entry"),
        ({**GOOD, "admitted": True, "outside": True, "re_entry": True}, "admitted", None),
        ({**GOOD, "admitted": True, "re_entry": True}, "already_admitted", None),
        ({**GOOD, "admitted": True, "outside": True, "re_entry": True, "paid": False}, "refused", "unpaid"),
        ({**GOOD, "admitted": True, "outside": True, "re_entry": True, "voided": True}, "refused", "cancelled"),
    ],
)
def test_each_case_at_the_door_has_its_own_verdict(facts, verdict, reason):
    assert decide(Facts(**facts)) == Decision(verdict, reason)


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        ({"proof": "unknown"}, "refused", "unknown"),
        ({"proof": "bad_signature", "hosted": True, "admitted": True}, "refused", "bad_signature"),
        ({"proof": "known", "admitted": True}, "refused", "wrong_session"),
        ({"proof": "known", "hosted": True}, "refused", "not_inside"),
        ({"proof": "known", "hosted": True, "admitted": True, "outside": True}, "refused", "not_inside"),
        ({"proof": "known", "hosted": True, "admitted": True}, "left", None),
        ({"proof": "known", "hosted": True, "admitted": True, "voided": True, "called_off": True}, "left", None),
    ],
)
def test_whoever_is_inside_may_leave_whatever_became_of_the_ticket(facts, verdict, reason):
    decision = decide_exit(Facts(**facts))
    assert decision == Decision(verdict, reason)
    assert words(decision).endswith(".")


def test_nobody_is_admitted_unless_everything_is_right():
    flags = list(product([True, False], repeat=4))
    statuses = ["requested", "pending", "confirmed", "refused", "cancel_pending", "cancelled"]
    proofs: list[Proof] = ["unknown", "known", "unknown_issuer", "bad_signature"]
    proof: Proof
    for proof, status, (is_open, voided, paid, admitted) in product(proofs, statuses, flags):
        right = proof == "known" and status in {"confirmed", "cancel_pending"} and is_open and paid
        expected = right and not voided and not admitted
        facts = Facts(proof, is_open, False, status, voided, paid, admitted)
        assert (decide(facts).verdict == "admitted") == expected
        assert words(decide(facts)).endswith(".")


@pytest.mark.parametrize(
    ("wall_ms", "trusted", "switch", "expected"),
    [
        (START - 3 * HOUR_MS, True, None, True),
        (START - 3 * HOUR_MS - 1, True, None, False),
        (START + 3 * HOUR_MS - 1, True, None, True),
        (START + 3 * HOUR_MS, True, None, False),
        (START, False, None, False),
        (START, False, "open", True),
        (0, True, "open", True),
        (START, True, "closed", False),
        (START + MINUTE_MS, True, None, True),
    ],
)
def test_the_door_follows_the_switch_then_a_trusted_clock(wall_ms, trusted, switch, expected):
    assert door_open(AT, Now(wall_ms, 0, "b", trusted), switch) is expected


def test_nothing_opens_the_door_of_a_cancelled_date():
    off = EventSession("s", "k", "north", START, START + 2 * HOUR_MS, "UTC", (), (), cancelled=True)
    assert not door_open(off, Now(START, 0, "b", True), "open")
