"""An invented job of each kind, to show what a template prints before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from appliance.domain.printing import (
    Badge,
    DoorList,
    DoorRow,
    NoSale,
    Printable,
    PrintedTicket,
    ReportLine,
    SalesReceipt,
    ShiftNote,
    ShiftReport,
    StaffBadge,
    Stub,
)

_EVENING_MS = 1_796_410_800_000  # 4 December 2026, 20:00 in Berlin
_TICKET = PrintedTicket(
    event="Songs of the River",
    starts_at_ms=_EVENING_MS,
    timezone="Europe/Berlin",
    venue="North Hall",
    ticket_type="Adult",
    code="SAMPLE42",
    # As long as a real one, so that the code on the picture is as large as the one on paper.
    receipt="MQ1:" + "SAMPLE-NOT-A-TICKET-" * 12,
    price_minor=1250,
    currency="EUR",
)
_ROWS = (
    DoorRow("Ana Ćosić", "SAMPLE42", "Adult", inside=True),
    DoorRow("Zoë Świątek", "SAMPLE43", "Child", inside=False, note="to pay"),
)

SAMPLES: Mapping[str, Printable] = MappingProxyType(
    {
        "stub": Stub(_TICKET, _EVENING_MS - 900_000, "door", "sample"),
        "receipt": SalesReceipt(
            "SAMPLE99", "North Hall", (_TICKET, _TICKET), 2500, 2500, "EUR", "cash", "Alex", _EVENING_MS - 1_800_000
        ),
        "badge": Badge(_TICKET, "Zoë Świątek"),
        "door_list": DoorList(
            "Songs of the River", _EVENING_MS, "Europe/Berlin", "North Hall", _EVENING_MS, 2, 1, 1, 1, _ROWS
        ),
        "shift_report": ShiftReport(
            number=7,
            venue="North Hall",
            timezone="Europe/Berlin",
            staff="A7",
            opened_at_ms=_EVENING_MS - 7_200_000,
            closed_at_ms=_EVENING_MS + 10_800_000,
            closed_by="A7",
            currency="EUR",
            float_minor=10_000,
            lines=(ReportLine("Cash", 31, 38_750), ReportLine("Card terminal", 12, 15_000)),
            no_sales=2,
            expected_minor=48_750,
            counted_minor=48_700,
            note="50 cents short, counted twice.",
            corrections=(ShiftNote(_EVENING_MS + 12_000_000, "B2", 50, "Found under the drawer."),),
        ),
        "staff_badge": StaffBadge("North Hall", "Amira", "A7", "MQB1:" + "SAMPLE-NOT-A-BADGE-" * 8),
        "no_sale": NoSale("North Hall", "Europe/Berlin", _EVENING_MS, "A7", "Change for a twenty"),
    }
)
