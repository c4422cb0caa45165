"""Cash-up on pages without scripts."""

from __future__ import annotations

from tests.appliance.portal.conftest import Phone
from tests.support.box import ADULT, TestBox


def test_a_shift_from_float_to_report(door: Phone, box: TestBox):
    page = door.send(door.get("/staff/shifts"), "/shifts", float="100,00")
    assert "Your shift 1" in page
    door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
    page = door.get("/staff/shifts")
    assert "€112.00" in page
    page = door.send(page, "/entries", kind="paid_out", amount="2", note="<taxi>")
    assert "€110.00" in page
    page = door.send(page, "/close", counted="109.50")
    assert door.status == 422
    assert "say in a few words why" in page
    page = door.send(page, "/close", counted="109.50", note="lost <b>")
    assert "lost &lt;b&gt;" in page
    assert "-€0.50" in page
    page = door.send(page, "/corrections", amount="0.50", note="found", sign="more")
    assert "Correction" in page
    door.send(page, "/report")
    with box.database.read() as db:
        kinds = [row[0] for row in db.exec_driver_sql("SELECT kind FROM print_job ORDER BY id")]
    assert kinds.count("shift_report") == 2
    assert "Shift 1" in door.get("/staff/shifts")


def test_the_same_form_sent_twice_enters_once_and_nonsense_is_named(door: Phone, box: TestBox):
    form = door.get("/staff/shifts")
    assert "Give an amount of money" in door.send(form, "/shifts", float="a lot")
    assert door.status == 422
    page = door.send(form, "/shifts", float="10")
    for _ in range(2):
        door.send(page, "/entries", kind="paid_in", amount="5", note="coins")
    assert door.status == 200
    assert "€15.00" in door.get("/staff/shifts")
    door.send(page, "/entries", kind="paid_in", amount="", note="coins")
    assert door.status == 422
    door.get("/staff/shifts/99")
    assert door.status == 404
