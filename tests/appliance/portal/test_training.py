"""Training leaves nothing behind: every table of the real database is compared before and after."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from appliance.domain.errors import LimitReached
from appliance.domain.paper import Stationery, lay_out
from appliance.domain.printing import SalesReceipt, decode
from appliance.services import booking, finding, printing, staff, stationery, training
from appliance.services import door as door_service
from appliance.services.booking import Item
from appliance.services.stationery import marks_of
from appliance.services.views import OrderView
from appliance.store import allocations
from appliance.store.engine import complete_metadata
from appliance.store.practice import KEPT, TO_SELL
from tests.appliance.portal.conftest import Phone
from tests.support.box import ADULT, BADGE, CHILD, PIN, ROOM, TestBox, TestKey, desk, make_box

Rows = dict[str, list[tuple[Any, ...]]]


def rows_of(box: TestBox) -> Rows:
    """Every row of every table, apart from what training itself leaves: its audit, its paper and the sign-in's own mark."""
    with box.database.read() as db:
        found = {
            name: [tuple(row) for row in db.execute(select(table).order_by(*table.primary_key.columns))]
            for name, table in complete_metadata().tables.items()
        }
        audit = db.exec_driver_sql("SELECT * FROM audit WHERE action NOT LIKE 'training%' ORDER BY id")
        paper = db.exec_driver_sql("SELECT * FROM print_job WHERE NOT training ORDER BY id")
        found["audit"], found["print_job"] = list(map(tuple, audit)), list(map(tuple, paper))
        found["staff_token"] = [row[:-1] for row in found["staff_token"]]
    return found


def named(box: TestBox, name: str = "Zoë Secret", kind: str = ADULT) -> OrderView:
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(kind, 1)])
        return booking.confirm(unit, held.id, name=name, contact="zoe@example.org")

    return box.run(work)


def begin(door: Phone) -> str:
    return door.send(door.get("/staff/more"), "/training", value="on")


def codes(page: str) -> list[str]:
    return re.findall(r"<b>([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})</b>", page)


def test_a_whole_evening_of_practice_changes_no_real_row(door: Phone, box: TestBox):
    order = named(box)
    before = rows_of(box)
    box.wakes.whom.clear()
    page = begin(door)
    assert "TRAINING" in page
    door.send(door.get("/staff/shifts"), "/shifts", float="50")
    page = door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
    assert "Sold" in page
    code = codes(page)[0]
    page = door.send(door.get("/staff/"), "check-ins", code=code)
    assert "Already admitted" in page
    page = door.send(page, "undo")
    page = door.send(door.get("/staff/exit"), "check-ins", code=code)
    page = door.send(door.get("/staff/orders?code=ada"), "/parties", method="cash")
    assert "Admitted" in page
    page = door.get(f"/staff/orders?code={code}&cancel=ask")
    door.send(door.get("/staff/"), "/switches", value="closed")
    page = door.send(door.get("/staff/shifts"), "/close", counted="1", note="practice")
    assert "Difference" in page
    assert order.code not in page
    page = door.send(door.get("/staff/"), "/training", value="off")
    assert "TRAINING" not in page
    assert rows_of(box) == before
    assert "bridge" not in box.wakes.whom


def test_what_is_practised_stays_among_those_who_practise(app: Flask, door: Phone, box: TestBox):
    begin(door)
    page = door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
    code = codes(page)[0]
    colleague = Phone(app, cookies=True)
    colleague.send(colleague.get("/staff/sign-in"), "", badge=BADGE, pin=PIN)
    assert "TRAINING" not in colleague.get("/staff/")
    assert "Unknown code" in colleague.send(colleague.get("/staff/"), "check-ins", code=code)
    door.send(door.get("/staff/"), "/training", value="off")
    assert "Unknown code" in door.send(door.get("/staff/"), "check-ins", code=code)


def test_a_practice_ticket_is_good_at_no_door(door: Phone, box: TestBox, tmp_path: Path):
    box.meet()
    begin(door)
    door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
    with box.database.read() as db:
        papers = [decode(row[0]) for row in db.exec_driver_sql("SELECT document FROM print_job WHERE training")]
    receipts = [each.tickets[0].receipt for each in papers if isinstance(each, SalesReceipt)]
    assert len(receipts) == 1
    assert receipts[0]
    assert box.look(lambda unit: finding.find(unit, receipts[0])).proof == "unknown_issuer"


def test_paper_says_training_and_opens_no_drawer_also_when_printed_again(door: Phone, box: TestBox):
    begin(door)
    door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
    found: list[tuple[str, ...]] = []
    while (job := box.run(printing.claim)) is not None:
        document = lay_out(decode(job.document), Stationery(drawer=True), marks_of(job))
        assert "TRAINING" in repr(document.blocks[0])
        assert "Drawer" not in repr(document)
        box.run(partial(printing.finish, job_id=job.id, state="printed"))
        if not found:
            box.run(partial(printing.reprint, job_id=job.id, staff=BADGE))
        found.append(marks_of(job))
    assert found == [(stationery.TRAINING,)] * 2 + [(stationery.TRAINING, "REPRINT")]


def test_what_is_printed_again_in_training_says_so_too(door: Phone, box: TestBox):
    """Whoever practises sees what they will see: both words."""
    begin(door)
    door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
    door.send(door.get("/staff/"), "/reprint")
    jobs = []
    while (job := box.run(printing.claim)) is not None:
        box.run(partial(printing.finish, job_id=job.id, state="printed"))
        jobs.append(job)
    first = next(each for each in jobs if each.document == jobs[-1].document)
    assert jobs[-1].reprint_of == first.id
    assert [marks_of(each) for each in jobs] == [(stationery.TRAINING,)] * 2 + [(stationery.TRAINING, "REPRINT")]


def test_the_copy_holds_nobodys_name_code_receipt_or_secret_message(door: Phone, box: TestBox, tmp_path: Path):
    order = named(box)
    box.run(partial(door_service.check_in, code=order.tickets[0].code, staff=BADGE, lane="lane-1"))
    begin(door)
    [file] = (tmp_path / "training").glob("*.db")
    content = b"".join(path.read_bytes() for path in (tmp_path / "training").iterdir())
    for secret in ("Secret", "zoe@example.org", order.code, order.tickets[0].code, order.tickets[0].receipt):
        assert secret.encode() not in content, secret
    assert file.stat().st_mode & 0o077 == 0
    path = training.make_copy(box, tmp_path / "training", file.stem)
    copy = training.box_of(box, path, TestKey(bytes(32)))
    with copy.database.read() as db:
        filled = {
            name for name, table in complete_metadata().tables.items() if db.execute(select(table).limit(1)).first()
        }
    copy.database.close()
    assert filled <= KEPT


def test_there_is_something_to_sell_whatever_is_left(app: Flask, door: Phone, box: TestBox):
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(CHILD, 10)]))
    begin(door)
    assert "Sold" in door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")


def test_the_copy_goes_with_the_sign_in_and_a_lost_copy_is_made_anew_not_skipped(
    door: Phone, box: TestBox, tmp_path: Path
):
    begin(door)
    for file in (tmp_path / "training").iterdir():
        file.unlink()
    before = rows_of(box)
    assert "Sold" in door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
    assert rows_of(box) == before
    door.send(door.get("/staff/"), "sign-out")
    assert list((tmp_path / "training").iterdir()) == []


def test_a_program_that_uses_the_sign_in_practises_too(app: Flask, box: TestBox, tmp_path: Path):
    token = staff.sign_in(box, BADGE, PIN, "10.0.0.9").token
    training.begin(box, token, tmp_path / "training")
    before = rows_of(box)
    http = app.test_client()
    answer = http.post("/api/v1/check-ins", json={"code": "ABCD-EFGH"}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert rows_of(box) == before


def test_only_so_many_practise_at_once(box: TestBox, tmp_path: Path):
    tokens = [staff.sign_in(box, BADGE, PIN, "10.0.0.9").token for _ in range(training.MOST_AT_ONCE + 1)]
    for token in tokens[:-1]:
        training.begin(box, token, tmp_path / "training")
    with pytest.raises(LimitReached):
        training.begin(box, tokens[-1], tmp_path / "training")
    training.end(box, tokens[0], tmp_path / "training")
    training.begin(box, tokens[-1], tmp_path / "training")
    assert len(list((tmp_path / "training").glob("*.db"))) == training.MOST_AT_ONCE


def test_pages_know_no_other_way_to_the_real_box():
    """A staff page that asked for the real site would sell for real while its banner says training."""
    pages = Path(training.__file__).parent.parent / "portal"
    users = [path.name for path in pages.glob("*.py") if "real_site" in path.read_text(encoding="utf-8")]
    assert users == []


def test_a_copy_is_the_same_device_with_enough_to_sell(tmp_path: Path):
    box = make_box(tmp_path)
    token = staff.sign_in(box, BADGE, PIN, "10.0.0.9").token
    named(box)
    name = training.begin(box, token, tmp_path / "training")
    copy = training.box_of(box, tmp_path / "training" / f"{name}.db", TestKey(bytes(32)))
    assert copy.look(lambda unit: unit.identity) == box.identity
    assert copy.look(lambda unit: allocations.shelves(unit.db, [ROOM]))[ROOM].available == TO_SELL
    copy.database.close()
    box.database.close()
