"""Print jobs laid out: defaults, the organiser's templates, marks on top."""

from __future__ import annotations

import msgspec
import pytest

from appliance.domain.paper import Stationery, lay_out
from appliance.domain.printing import Badge, DoorList, DoorRow, PrintedTicket, SalesReceipt, Stub
from drivers.printer.document import QR, Columns, Cut, Document, Drawer, Image, Text, Title
from drivers.printer.preview import document_png

TICKET = PrintedTicket(
    event="Songs of the River",
    starts_at_ms=1_764_100_800_000,
    timezone="Europe/Berlin",
    venue="North Hall",
    ticket_type="Adult",
    code="ABCD2345",
    receipt="MQ1:ABC",
    price_minor=1200,
    currency="EUR",
)
STUB = Stub(TICKET, 1_764_100_800_000, "door", "c1")
RECEIPT = SalesReceipt("WXYZ6789", "North Hall", (TICKET, TICKET), 2400, 2000, "EUR", "cash", "anna", 1_764_100_800_000)
LIST = DoorList(
    "Songs", 1_764_100_800_000, "UTC", "North Hall", 1_764_100_800_000, 2, 1, 1, 1,
    (DoorRow("Zoë Świątek", "ABCD2345", "Adult", inside=True), DoorRow("", "WXYZ6789", "Child", inside=False, note="guest")),
)  # fmt: skip


def words(document: Document) -> str:
    shown = []
    for block in document.blocks:
        match block:
            case Text() | Title():
                shown.append(block.text)
            case Columns():
                shown.append(f"{block.left} | {block.right}")
            case QR():
                shown.append(f"QR {block.data}")
            case _:
                pass
    return "\n".join(shown)


def test_a_stub_shows_event_time_type_code_and_its_receipt() -> None:
    document = lay_out(STUB, Stationery())
    assert words(document).splitlines() == [
        "Songs of the River",
        "North Hall",
        "Tue 25 Nov 2025, 21:00",
        "Adult | 12.00 EUR",
        "Admitted | 21:00 door",
        "QR MQ1:ABC",
        "ABCD-2345",
    ]
    assert isinstance(document.blocks[-1], Cut)


def test_a_part_payment_names_what_is_still_due_and_a_full_one_does_not() -> None:
    assert "To pay: 4.00 EUR" in words(lay_out(RECEIPT, Stationery()))
    assert words(lay_out(RECEIPT, Stationery())).count("QR MQ1:ABC") == 2


def test_marks_stand_above_every_template() -> None:
    own = Stationery({"stub": "left {code}"})
    assert words(lay_out(STUB, own, ("REPRINT",))) == "REPRINT\nABCD-2345"


def test_the_organisers_template_is_used_and_one_that_cannot_be_is_not() -> None:
    """A newer cloud may know facts that this device does not: paper comes out all the same."""
    assert words(lay_out(STUB, Stationery({"stub": "center Welcome to {event}"}))) == "Welcome to Songs of the River"
    assert "Admitted" in words(lay_out(STUB, Stationery({"stub": "left {row_of_the_future}"})))


def test_a_door_list_ticks_who_is_inside() -> None:
    text = words(lay_out(LIST, Stationery()))
    assert "[x] Zoë Świątek | ABCD-2345" in text
    assert "[ ] | WXYZ-6789" in text
    assert "Child guest" in text


@pytest.mark.parametrize("job", [STUB, RECEIPT, LIST, Badge(TICKET, "Zoë Świątek")])
def test_every_kind_can_be_seen_before_it_is_printed(job: Stub | SalesReceipt | DoorList | Badge) -> None:
    assert document_png(lay_out(job, Stationery(), ("REPRINT",))).startswith(b"\x89PNG")


def test_cash_opens_the_drawer_where_there_is_one_and_a_reprint_does_not() -> None:
    own = Stationery(drawer=True)
    assert lay_out(RECEIPT, own).blocks[0] == Drawer()
    for quiet in (
        lay_out(RECEIPT, own, ("REPRINT",)),
        lay_out(RECEIPT, Stationery()),
        lay_out(msgspec.structs.replace(RECEIPT, method="terminal"), own),
        lay_out(STUB, own),
    ):
        assert Drawer() not in quiet.blocks


def test_pictures_print_where_there_are_any_and_leave_no_gap_where_there_are_none() -> None:
    badge = Badge(TICKET, "Zoë", photo="p1")
    pictures = [
        each for each in lay_out(badge, Stationery(logo=b"L", photos={"p1": b"P"})).blocks if isinstance(each, Image)
    ]
    assert [each.data for each in pictures] == [b"L", b"P"]
    assert not any(isinstance(each, Image) for each in lay_out(badge, Stationery()).blocks)
