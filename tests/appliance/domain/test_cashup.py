from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.cashup import Sum, evening_of, read_amount, takings, till

NIGHT_MS = 1_796_427_000_000  # 5 December 2026, 00:30 in Berlin
HOUR_MS = 3_600_000
MOVES = st.lists(st.tuples(st.sampled_from(["cash", "terminal", "comp"]), st.integers(-5000, 5000)), max_size=30)
ENTRIES = st.lists(st.tuples(st.sampled_from(["no_sale", "paid_in", "paid_out", "correction"]), st.integers(0, 5000)))


def test_money_is_summed_by_the_way_it_moved():
    found = takings([("cash", 1200), ("cash", 800), ("cash", -500), ("terminal", 900), ("comp", 1400)])
    assert (found.cash, found.cash_back, found.terminal, found.comp) == (
        Sum(2, 2000),
        Sum(1, 500),
        Sum(1, 900),
        Sum(1, 1400),
    )
    assert found.turnover_minor == 2400


@given(float_minor=st.integers(0, 50_000), moves=MOVES, entries=ENTRIES)
def test_the_drawer_holds_the_float_and_every_coin_that_moved(float_minor, moves, entries):
    """Cards and comps put nothing into it, and a correction is no cash that moves."""
    expected = float_minor
    for method, minor in moves:
        expected += minor if method == "cash" else 0
    for kind, minor in entries:
        expected += {"paid_in": minor, "paid_out": -minor}.get(kind, 0)
    assert till(float_minor, moves, entries).expected_minor == expected


@pytest.mark.parametrize(
    ("at_ms", "zone", "evening"),
    [
        (NIGHT_MS, "Europe/Berlin", date(2026, 12, 4)),
        (NIGHT_MS + 5 * HOUR_MS, "Europe/Berlin", date(2026, 12, 4)),
        (NIGHT_MS + 6 * HOUR_MS, "Europe/Berlin", date(2026, 12, 5)),
        (NIGHT_MS, "Nowhere/Nowhere", date(2026, 12, 4)),
    ],
)
def test_an_evening_ends_in_the_morning(at_ms: int, zone: str, evening: date):
    assert evening_of(at_ms, zone) == evening


@pytest.mark.parametrize(("text", "minor"), [("12", 1200), ("12,50", 1250), (" 1 200.5 ", 120_050), ("0", 0)])
def test_amounts_are_read_as_people_write_them(text: str, minor: int):
    assert read_amount(text, "EUR") == minor


@pytest.mark.parametrize("text", ["", "-1", "1,234.50", "12.345", "1e3", "zwölf"])
def test_what_is_no_amount_is_refused(text: str):
    with pytest.raises(ValueError, match="."):
        read_amount(text, "EUR")
