from __future__ import annotations

from typing import Any

import pytest

from appliance.domain.errors import Invalid
from appliance.services import booking, payments
from appliance.services.booking import Item
from appliance.store.tables import audit
from mqtt_bridge.protocol import receipts
from tests.support.box import ADULT, BADGE, CHILD, TestBox, guest


@pytest.fixture
def order(box: TestBox):
    def work(unit):
        held = booking.place_hold(unit, guest(), [Item(ADULT, 2)])
        return booking.confirm(unit, held.id, name="Ada Lovelace", contact="ada@example.org")

    return box.run(work)


def pay(box: TestBox, order, method: Any, amount: int):
    return box.run(lambda unit: payments.take_payment(unit, order.id, BADGE, method, amount))


def test_full_payment_signs_every_receipt_again_as_paid(box, order):
    paid = pay(box, order, "cash", 2400)
    assert (paid.payment, paid.paid_minor, paid.due_minor) == ("paid", 2400, 0)
    for before, after in zip(order.tickets, paid.tickets, strict=True):
        old, new = receipts.read(before.receipt).claims, receipts.read(after.receipt).claims
        assert new.paid
        assert (old.ticket, old.seq, old.inc) == (new.ticket, new.seq, new.inc)


def test_part_payment_leaves_the_rest_due(box, order):
    assert pay(box, order, "cash", 1000).due_minor == 1400
    assert pay(box, order, "terminal", 1400).payment == "paid"


def test_a_comp_gives_away_exactly_what_is_due(box, order):
    with pytest.raises(Invalid):
        pay(box, order, "comp", 1)
    assert pay(box, order, "comp", 2400).payment == "paid"


@pytest.mark.parametrize(("method", "amount"), [("cash", 0), ("cash", -1), ("cash", 2401), ("gold", 2400)])
def test_an_amount_or_method_that_does_not_fit_is_refused(box, order, method, amount):
    with pytest.raises(Invalid):
        pay(box, order, method, amount)


def test_nothing_is_taken_twice_for_a_paid_cancelled_or_free_order(box, order):
    pay(box, order, "cash", 2400)
    with pytest.raises(Invalid):
        pay(box, order, "cash", 2400)

    def free(unit):
        held = booking.place_hold(unit, guest(), [Item(CHILD, 1)])
        return booking.confirm(unit, held.id)

    free_order = box.run(free)
    with pytest.raises(Invalid):
        pay(box, free_order, "cash", 1)
    box.run(lambda unit: booking.cancel(unit, free_order.id))
    with pytest.raises(Invalid):
        pay(box, free_order, "cash", 1)


def test_the_audit_names_the_badge_and_no_guest(box, order):
    pay(box, order, "cash", 2400)
    with box.database.read() as db:
        rows = [dict(row._mapping) for row in db.execute(audit.select())]
    assert [(row["who"], row["action"], row["detail"]) for row in rows] == [(BADGE, "payment", "cash 2400 EUR")]
    assert "Lovelace" not in repr(rows)
    assert "example.org" not in repr(rows)
