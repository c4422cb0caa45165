from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Invalid
from appliance.domain.people import LONGEST, clean
from appliance.domain.pins import NOBODY, N, P, R, hash_pin, verify_pin
from appliance.domain.printing import PrintedTicket, Stub, decode, encode


@given(st.text(max_size=300))
def test_a_name_is_kept_printable_or_refused_and_cleaning_twice_changes_nothing(text):
    try:
        tidy = clean(text, "name")
    except Invalid:
        return
    assert len(tidy) <= LONGEST
    assert clean(tidy, "name") == tidy
    tidy.encode()


def test_a_pin_fits_only_its_own_hash():
    stored = hash_pin("2468", bytes(range(16)))
    assert verify_pin("2468", stored)
    assert not verify_pin("2469", stored)
    assert hash_pin("2468", bytes(16)) != stored


@pytest.mark.parametrize("stored", ["", "plain", "scrypt$1$2$3$zz$zz", "scrypt$16384$8$1$00$00", NOBODY])
def test_a_text_that_is_no_hash_fits_no_pin(stored):
    assert not verify_pin("2468", stored)


def test_a_pin_costs_as_much_to_try_as_owasp_asks_for_whether_it_is_anybodys_or_not():
    """OWASP Password Storage Cheat Sheet: scrypt with N=2^14, r=8 needs p=5; an unknown badge costs the same."""
    assert (N, R, P) == (2**14, 8, 5)
    assert hash_pin("2468", bytes(16)).split("$")[:4] == NOBODY.split("$")[:4] == ["scrypt", "16384", "8", "5"]


def test_what_is_printed_survives_the_spool():
    stub = Stub(PrintedTicket("Étude", 1, "UTC", "Hall", "Adult", "ABCD1234", "MQ1:X", 100, "EUR"), 5, "1", "c")
    assert decode(encode(stub)) == stub
