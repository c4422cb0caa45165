"""A guest list from file to door, on pages without scripts."""

from __future__ import annotations

import io

from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import ADULT, TONIGHT, TestBox

LIST = "Name;Karten;Kartenart;Notiz\nZoë Müller;2;Adult;<b>vorn</b>\nAnn;;;\n"


def upload(door: Phone, data: bytes) -> str:
    page = door.get("/staff/guests")
    where, fields = next(each for each in forms(page) if "/preview" in each[0])
    form = {**fields, "for": f"{TONIGHT}:{ADULT}", "file": (io.BytesIO(data), "guests.csv")}
    door.last = door.http.post(where, data=form, content_type="multipart/form-data", follow_redirects=True)
    return door.last.text


def add(door: Phone, page: str, text: str, rows: str) -> str:
    fields = next(fields for where, fields in forms(page) if where.endswith("/guests"))
    return door.post("/staff/guests", {**fields, "text": text, "rows": rows})


def count(box: TestBox) -> int:
    with box.database.read() as db:
        return int(db.exec_driver_sql("SELECT count(*) FROM orders").scalar_one())


def test_a_file_is_shown_first_then_imported_and_found_at_the_door(door: Phone, box: TestBox):
    page = upload(door, LIST.encode("cp1252"))
    assert "2 guests are new" in page
    assert "&lt;b&gt;vorn" in page
    assert count(box) == 0
    page = add(door, page, LIST, "all")
    assert "2 guests were imported." in page
    assert count(box) == 2
    assert "Everybody was on the list already." in upload(door, LIST.encode())
    found = door.get("/staff/orders?code=mull")
    assert "Guest list" in found
    assert "Admit all 2" in found


def test_wrong_rows_are_listed_and_only_a_choice_imports_the_rest(door: Phone, box: TestBox):
    text = LIST + ";1;;\nBea;viele;;\n"
    page = upload(door, text.encode())
    assert "2 rows are wrong" in page
    assert "Line 4" in page
    assert "Import all of them" not in page
    assert "some rows are wrong" in add(door, page, text, "all")
    assert (door.status, count(box)) == (422, 0)
    assert "2 rows were left out" in add(door, page, text, "good")
    assert count(box) == 2


def test_too_many_guests_are_told_how_many_do_not_fit(door: Phone, box: TestBox):
    text = "name;tickets\nBand;12\n"
    page = upload(door, text.encode())
    assert "2 tickets do not fit" in page
    assert "not enough tickets" in add(door, page, text, "all")
    assert (door.status, count(box)) == (409, 0)


def test_no_file_and_no_text_are_asked_for_again(door: Phone):
    assert "Choose a file" in upload(door, b"")
    assert door.status == 422
    assert "not a text file" in upload(door, b"\x81\xfe\x00\x8d")
    assert door.status == 422


def test_a_badge_is_printed_from_the_order_once_per_tap(door: Phone, phone: Phone, box: TestBox):
    phone.send(phone.hold(), "/confirm", name="Zoë")
    code = door.get("/staff/orders?code=zo").partition("orders?code=")[2].partition('"')[0]
    page = door.get(f"/staff/orders?code={code}")
    for _ in range(2):
        door.send(page, "/badges")
    with box.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM print_job WHERE kind = 'badge'").scalar() == 1
