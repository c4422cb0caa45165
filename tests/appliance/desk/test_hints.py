"""A keyboard scanner that is set to another country's keyboard still lets people in, and says what is wrong with it."""

from __future__ import annotations

import pytest

from appliance.desk.hints import is_receipt, told_our_codes
from appliance.services import booking
from appliance.services.booking import Item
from drivers import open_scanner
from drivers.health import State
from drivers.scanner.pty import PtyScanner
from drivers.scanner.serial import SerialScanner
from drivers.scanner.sim import SimScanner
from tests.support.box import ADULT, TestBox, guest


def receipts_of(box: TestBox, count: int) -> list[str]:
    hold = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, count)]))
    order = box.run(lambda unit: booking.confirm(unit, hold.id))
    return [ticket.receipt for ticket in order.tickets]


@pytest.mark.parametrize(("keyboard", "name"), [("de", "German"), ("fr", "French"), ("es", "Spanish")])
def test_receipts_typed_for_another_keyboard_are_put_right_from_the_first_on(
    box: TestBox, keyboard: str, name: str
) -> None:
    """Their structure settles what letters leave open: which of Y and Z was meant."""
    receipts = receipts_of(box, 3)
    scanner = told_our_codes(open_scanner(f"sim://scanner?fault=layout&keyboard={keyboard}"))
    assert isinstance(scanner, SimScanner)
    for receipt in receipts:
        scanner.scan(receipt)
    assert [scanner.read(1.0) for _ in receipts] == receipts
    assert scanner.health().state is State.DEGRADED
    assert name in scanner.health().reason


def test_only_what_is_built_like_a_receipt_counts_as_one(box: TestBox) -> None:
    [receipt] = receipts_of(box, 1)
    assert is_receipt(receipt)
    assert not is_receipt(receipt.lower())
    assert not is_receipt("".join("ZY"["YZ".index(char)] if char in "YZ" else char for char in receipt))
    assert not is_receipt("MQ1:")


def test_a_scanner_that_takes_no_hints_is_left_alone() -> None:
    port = PtyScanner()
    scanner = told_our_codes(open_scanner(port.url))
    assert isinstance(scanner, SerialScanner)
    scanner.close()
    port.close()
