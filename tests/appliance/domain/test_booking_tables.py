from __future__ import annotations

import pytest

from appliance.domain.booking import HOLD, LIVE, ORDER, first_payment, next_hold, next_order, next_payment
from appliance.domain.errors import HoldExpired, Invalid


def test_a_hold_that_ended_never_opens_again():
    assert "open" not in HOLD.values()
    assert all(HOLD.get(("confirmed", event)) is None for event in ("confirm", "release", "expire"))


def test_a_released_hold_is_gone_for_good_and_a_confirmed_one_is_an_order():
    with pytest.raises(HoldExpired):
        next_hold("released", "confirm")
    with pytest.raises(Invalid):
        next_hold("confirmed", "release")


def test_a_cancelled_order_stays_cancelled():
    assert {after for (before, _), after in ORDER.items() if before == "cancelled"} == {"cancelled"}
    assert "cancelled" not in LIVE
    with pytest.raises(Invalid):
        next_order("refused", "cancel")


def test_payment_only_ever_becomes_paid():
    assert (first_payment(0), first_payment(1)) == ("paid", "promised")
    assert next_payment("promised", "settle") == next_payment("paid", "settle") == "paid"
