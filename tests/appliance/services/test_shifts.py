"""A shift counts what its person moved here while it was open, and stays as it was closed."""

from __future__ import annotations

import pytest

from appliance.domain.cashup import Sum
from appliance.domain.errors import Invalid, NotFound
from appliance.domain.printing import NoSale, ShiftReport, decode
from appliance.services import door, payments, printing, repairs, shifts
from appliance.services.booking import Item
from appliance.services.staff_views import ShiftView
from appliance.services.views import OrderView
from appliance.store import orders
from mqtt_bridge.protocol.messages import PaymentTaken
from tests.support.box import ADULT, BADGE, TestBox


def sell(box: TestBox, method: str | None = "cash", staff: str = BADGE) -> OrderView:
    return box.run(lambda unit: door.sell(unit, staff, [Item(ADULT, 1)], method, "lane-1"))  # type: ignore[arg-type]


def opened(box: TestBox, float_minor: int = 10_000, staff: str = BADGE) -> ShiftView:
    return box.run(lambda unit: shifts.open_shift(unit, staff, float_minor))


def closed(box: TestBox, number: int, counted_minor: int, note: str = "", staff: str = BADGE) -> ShiftView:
    return box.run(lambda unit: shifts.close_shift(unit, number, staff, counted_minor, note))


def look(box: TestBox, number: int) -> ShiftView:
    return box.look(lambda unit: shifts.view(unit, number))


def papers(box: TestBox) -> list[object]:
    found: list[object] = []
    while (job := box.run(printing.claim)) is not None:
        found.append(decode(job.document))
    return found


def test_only_what_its_person_moved_while_it_was_open_counts(box):
    sell(box)
    shift = opened(box)
    order = sell(box)
    sell(box, "terminal")
    sell(box, "comp")
    sell(box, staff="B2")
    box.run(lambda unit: orders.change(unit.db, order.id, refund_minor=500))
    box.run(lambda unit: repairs.pay_back(unit, order.id, BADGE, "cash", 500))
    till = look(box, shift.number).till
    assert (till.takings.cash, till.takings.terminal, till.takings.comp, till.takings.cash_back) == (
        Sum(1, 1200),
        Sum(1, 1200),
        Sum(1, 1200),
        Sum(1, 500),
    )
    assert till.expected_minor == 10_700
    closed(box, shift.number, 10_700)
    sell(box)
    assert look(box, shift.number).till.expected_minor == 10_700


def test_what_other_devices_took_belongs_to_no_drawer_here(box):
    shift = opened(box)
    order = sell(box, None)
    told = PaymentTaken(order.id, "p1", "cash", 1200, "EUR", BADGE, True, tuple(each.id for each in order.tickets))
    box.run(lambda unit: payments.on_payment_taken(unit, told))
    assert look(box, shift.number).till.expected_minor == 10_000
    assert box.look(shifts.evenings) == ()


def test_the_drawer_is_opened_without_a_sale_on_paper_and_on_record(box):
    shift = opened(box)
    box.run(lambda unit: shifts.enter(unit, BADGE, "no_sale", 0, "change"))
    box.run(lambda unit: shifts.enter(unit, BADGE, "paid_in", 5_000, "coins from the safe"))
    box.run(lambda unit: shifts.enter(unit, BADGE, "paid_out", 2_000, "taxi"))
    till = look(box, shift.number).till
    assert (till.no_sales, till.expected_minor) == (1, 13_000)
    [slip] = papers(box)
    assert isinstance(slip, NoSale)


@pytest.mark.parametrize(
    ("kind", "minor", "note", "field"),
    [
        ("no_sale", 100, "x", "amount"),
        ("paid_in", 0, "x", "amount"),
        ("paid_out", -5, "x", "amount"),
        ("paid_out", 5, "", "note"),
        ("correction", 5, "x", "kind"),
    ],
)
def test_an_entry_that_does_not_add_up_is_refused(box, kind, minor, note, field):
    opened(box)
    with pytest.raises(Invalid) as refused:
        box.run(lambda unit: shifts.enter(unit, BADGE, kind, minor, note))
    assert refused.value.facts["field"] == field


def test_nobody_has_two_shifts_or_enters_into_none(box):
    with pytest.raises(Invalid):
        box.run(lambda unit: shifts.enter(unit, BADGE, "no_sale", 0, ""))
    first = opened(box)
    with pytest.raises(Invalid):
        opened(box)
    assert opened(box, staff="B2").number == first.number + 1


def test_a_difference_needs_a_word_and_is_written_down_and_printed(box):
    shift = opened(box)
    sell(box)
    papers(box)
    with pytest.raises(Invalid):
        closed(box, shift.number, 11_100)
    assert look(box, shift.number).closed_at_ms is None
    done = closed(box, shift.number, 11_100, "one euro short", staff="B2")
    assert (done.expected_minor, done.counted_minor, done.difference_minor) == (11_200, 11_100, -100)
    [report] = papers(box)
    assert isinstance(report, ShiftReport)
    assert (report.staff, report.closed_by, report.expected_minor, report.note) == (
        BADGE,
        "B2",
        11_200,
        "one euro short",
    )
    assert [(line.name, line.count, line.minor) for line in report.lines if line.count] == [("Cash", 1, 1200)]


def test_a_closed_shift_stays_and_corrections_stand_beside_it(box):
    shift = opened(box)
    with pytest.raises(Invalid):
        box.run(lambda unit: shifts.correct(unit, shift.number, BADGE, 100, "too early"))
    closed(box, shift.number, 9_900, "short")
    before = look(box, shift.number)
    with pytest.raises(Invalid):
        closed(box, shift.number, 10_000)
    for minor, note in ((0, "x"), (100, "")):
        with pytest.raises(Invalid):
            box.run(lambda unit, minor=minor, note=note: shifts.correct(unit, shift.number, BADGE, minor, note))
    after = box.run(lambda unit: shifts.correct(unit, shift.number, "B2", 100, "found it"))
    assert [(each.minor, each.staff) for each in after.corrections] == [(100, "B2")]
    assert (after.expected_minor, after.counted_minor, after.till) == (
        before.expected_minor,
        before.counted_minor,
        before.till,
    )
    papers(box)
    box.run(lambda unit: shifts.print_report(unit, shift.number))
    [report] = papers(box)
    assert isinstance(report, ShiftReport)
    assert [each.minor for each in report.corrections] == [100]


def test_every_step_is_audited(box):
    shift = opened(box)
    box.run(lambda unit: shifts.enter(unit, BADGE, "paid_out", 200, "taxi"))
    closed(box, shift.number, 9_800)
    box.run(lambda unit: shifts.correct(unit, shift.number, BADGE, -5, "torn note"))
    with box.database.read() as db:
        actions = [
            row[0] for row in db.exec_driver_sql("SELECT action FROM audit WHERE action LIKE 'shift%' ORDER BY id")
        ]
    assert actions == ["shift_open", "shift_paid_out", "shift_close", "shift_correction"]


def test_the_evening_lists_each_person_with_and_without_a_shift(box):
    sell(box, staff="B2")
    opened(box)
    sell(box)
    sell(box, "terminal")
    rows = {each.staff: each for each in box.look(shifts.evenings)}
    assert (rows[BADGE].takings.turnover_minor, rows[BADGE].without_shift) == (2400, 0)
    assert (rows["B2"].takings.turnover_minor, rows["B2"].without_shift) == (1200, 1)


def test_a_shift_that_never_was_is_not_found(box):
    with pytest.raises(NotFound):
        look(box, 99)
