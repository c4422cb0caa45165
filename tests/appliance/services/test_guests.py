"""Guests draw from the allocation like any sale, once, and all of them or none."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.domain.errors import Invalid, NotFound, SaleClosed, SoldOutHere
from appliance.domain.printing import decode
from appliance.services import booking, door, guests, payments, printing, privacy, searching, switches, sync
from appliance.services.booking import Item
from appliance.services.door_list import print_door_list
from appliance.services.staff_views import GuestsAdded
from appliance.store import allocations, orders
from mqtt_bridge.protocol.messages import ErasePersonalData, OrderConfirmed, PaymentTaken
from tests.appliance.services.outbox import bodies
from tests.support.box import ADULT, BADGE, ROOM, TONIGHT, TestBox, desk, state

LIST = "name;tickets;type;note\nZoë Müller;2;Adult;front row\nAnn;1;Child;\n"


def add(box: TestBox, text: str = LIST, *, only_good: bool = False) -> GuestsAdded:
    return guests.add(box, TONIGHT, text, ADULT, BADGE, only_good=only_good)


def names(box: TestBox) -> list[str]:
    with box.database.read() as db:
        return [row[0] for row in db.exec_driver_sql("SELECT name FROM orders ORDER BY name")]


def shelf(box: TestBox) -> tuple[int, int]:
    """(sold, held) of the room."""
    found = box.look(lambda unit: allocations.shelves(unit.db, [ROOM]))[ROOM]
    return found.totals.sold, found.held


def test_each_guest_gets_a_comp_order_without_paper_and_is_admitted_by_name(box):
    assert add(box) == GuestsAdded(2, 3, ())
    assert shelf(box) == (3, 0)
    found = box.look(lambda unit: searching.search(unit, "mueller"))
    [order] = found.orders
    assert (order.payment, order.status, len(order.tickets)) == ("paid", "confirmed", 2)
    assert found.guests == {order.id: "front row"}
    assert [type(each) for each in bodies(box)] == [OrderConfirmed, PaymentTaken, OrderConfirmed]
    with box.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM print_job").scalar() == 0
    seen = box.run(lambda unit: door.admit_party(unit, order.id, BADGE, "lane-1"))
    assert [each.verdict for each in seen] == ["admitted", "admitted"]


def test_the_paper_door_list_says_who_is_a_guest_and_who_is_inside_now(box):
    add(box)
    [order] = box.look(lambda unit: searching.search(unit, "ann")).orders
    for way in ("in", "out"):
        box.run(lambda unit, way=way: door.check_in(unit, order.code, BADGE, "lane-1", way))
    box.run(lambda unit: print_door_list(unit, TONIGHT, BADGE))
    jobs = iter(lambda: box.run(printing.claim), None)
    [paper] = [decode(job.document) for job in jobs if job.kind == "door_list"]
    assert [(each.name, each.inside, each.note) for each in paper.rows] == [
        ("Ann", False, "guest list"),
        ("Zoë Müller", False, "guest list - front row"),
        ("Zoë Müller", False, "guest list - front row"),
    ]


def test_the_same_file_twice_does_nothing_and_a_longer_one_adds_the_new(box):
    add(box)
    before = bodies(box)
    assert add(box) == GuestsAdded(0, 0, ())
    assert bodies(box) == before
    assert add(box, LIST.replace("Ann;1", "Ann;3") + "Bea;1;Child;\n").tickets == 3
    assert names(box) == ["Ann", "Ann", "Bea", "Zoë Müller"]


def test_who_is_listed_twice_gets_both_and_fewer_tickets_are_not_taken_away(box):
    twice = LIST + "ANN;1;Child;\n"
    assert add(box, twice).tickets == 4
    assert add(box, twice).tickets == 0
    plan = box.look(lambda unit: guests.plan(unit, TONIGHT, LIST, ADULT))
    assert (plan.new, plan.fewer) == (0, ("Ann",))


def test_a_cancelled_guest_stays_off(box):
    add(box)
    [order] = box.look(lambda unit: searching.search(unit, "ann")).orders
    box.run(lambda unit: booking.cancel(unit, order.id, by=BADGE))
    assert add(box).tickets == 0


def test_nobody_is_imported_while_a_row_is_wrong_unless_that_is_said(box):
    wrong = LIST + "=1+1;1;;\n"
    with pytest.raises(Invalid):
        add(box, wrong)
    assert names(box) == []
    added = add(box, wrong, only_good=True)
    assert (added.guests, [each.line for each in added.left_out]) == (2, [4])


def test_more_guests_than_tickets_are_refused_with_the_figure_and_nothing_is_held(box):
    many = "name;tickets\n" + "".join(f"Guest {n};3\n" for n in range(5))
    plan = box.look(lambda unit: guests.plan(unit, TONIGHT, many, ADULT))
    assert (plan.wanted, plan.short) == (15, 5)
    with pytest.raises(SoldOutHere):
        add(box, many)
    assert shelf(box) == (0, 0)
    added = add(box, many, only_good=True)
    assert (added.tickets, [each.about for each in added.left_out]) == (9, ["Guest 3", "Guest 4"])
    assert shelf(box) == (9, 0)


def test_what_waits_in_a_hold_is_not_given_to_guests(box):
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, 8)]))
    with pytest.raises(SoldOutHere):
        add(box)
    assert names(box) == []


def test_a_closed_sale_keeps_no_guest_out_but_a_cancelled_date_and_a_frozen_device_do(box):
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, "closed", BADGE))
    assert add(box).guests == 2
    box.run(lambda unit: sync.apply_state(unit, state(unit, (), revision=99, stop=True)))
    with pytest.raises(SaleClosed):
        add(box, "name\nBea\n")


def test_an_import_that_stopped_half_way_is_finished_by_the_same_file(box, monkeypatch):
    many = "name\n" + "".join(f"Guest {n:02}\n" for n in range(10))
    monkeypatch.setattr(guests, "AT_ONCE", 4)
    real = payments.take_payment

    def dies(unit: Any, order_id: str, *rest: Any, **more: Any) -> object:
        if orders.find(unit.db, order_id).name == "Guest 05":
            raise OSError("power cut")
        return real(unit, order_id, *rest, **more)

    monkeypatch.setattr(payments, "take_payment", dies)
    with pytest.raises(OSError, match="power cut"):
        add(box, many)
    assert names(box) == [f"Guest {n:02}" for n in range(4)]
    assert shelf(box) == (4, 6)
    monkeypatch.setattr(payments, "take_payment", real)
    box.turn.advance(guests.HOLD_LIFE_MS)
    assert add(box, many).guests == 6
    assert (len(names(box)), shelf(box)) == (10, (10, 0))


def test_two_people_who_import_the_same_file_at_once_import_it_once(box, monkeypatch):
    real = box.__class__.run
    other: list[GuestsAdded] = []
    begun: list[bool] = []

    def between(self: TestBox, use_case: Any) -> object:
        answer = real(self, use_case)
        if not begun and isinstance(answer, tuple):
            begun.append(True)
            other.append(guests.add(box, TONIGHT, LIST, ADULT, "B2"))
        return answer

    monkeypatch.setattr(box.__class__, "run", between)
    first = add(box)
    assert (first.tickets, other[0].tickets) == (0, 3)
    assert shelf(box) == (3, 0)


def test_who_is_erased_leaves_no_note_and_no_key(box):
    add(box)
    [order] = box.look(lambda unit: searching.search(unit, "mueller")).orders
    box.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e1", order=order.id)))
    with box.database.read() as db:
        rows = db.exec_driver_sql('SELECT "key", note FROM guest WHERE "order" = ?', (order.id,)).all()
    assert [tuple(row) for row in rows] == [("", "")]


def test_a_date_that_is_gone_is_not_found(box):
    with pytest.raises(NotFound):
        guests.add(box, "s_gone", LIST, ADULT, BADGE)
