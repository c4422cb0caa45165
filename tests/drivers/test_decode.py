"""From bytes to codes, without any device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scanner.decode import MAX_CODE_BYTES, Decoder


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"], ids=["CR", "LF", "CRLF"])
def test_each_terminator_ends_a_code_and_none_makes_an_empty_one(end: bytes) -> None:
    assert Decoder().feed(b"ONE" + end + b"TWO" + end + end, 0.0) == ["ONE", "TWO"]


def test_a_code_in_pieces_is_put_together() -> None:
    decoder = Decoder()
    assert decoder.feed(b"AB", 0.0) == []
    assert decoder.feed(b"CD\rEF", 0.1) == ["ABCD"]
    assert decoder.waiting
    assert decoder.feed(b"\r", 0.2) == ["EF"]
    assert not decoder.waiting


def test_a_pause_ends_a_code_without_terminator() -> None:
    decoder = Decoder(gap_s=0.2)
    decoder.feed(b"CODE", 10.0)
    assert decoder.gap_left_s(10.05) == pytest.approx(0.15)
    assert decoder.flush(10.1) == []
    assert decoder.flush(10.25) == ["CODE"]
    decoder.feed(b"OLD", 20.0)
    assert decoder.feed(b"NEW\r", 21.0) == ["OLD", "NEW"]


def test_prefix_and_suffix_go_where_they_are_and_their_absence_is_forgiven() -> None:
    decoder = Decoder(prefix="]Q1", suffix="#")
    assert decoder.feed(b"]Q1CODE#\rBARE\r", 0.0) == ["CODE", "BARE"]


def test_an_aim_identifier_is_no_part_of_a_code() -> None:
    assert Decoder().feed(b"]Q1MQ1:6BF\r]C0ABCD-EFGH\r]E\r]QQ\r", 0.0) == ["MQ1:6BF", "ABCD-EFGH", "]E", "]QQ"]


def test_a_code_that_is_too_long_is_dropped_whole_and_counted() -> None:
    decoder = Decoder()
    assert decoder.feed(b"x" * MAX_CODE_BYTES + b"\r", 0.0) == ["x" * MAX_CODE_BYTES]
    assert decoder.feed(b"y" * (MAX_CODE_BYTES + 1) + b"\rNEXT\r", 1.0) == ["NEXT"]
    assert decoder.dropped == 1


def test_control_characters_and_broken_letters_do_no_harm() -> None:
    assert Decoder().feed(b"\x02A\x00\xff B\x03\r\x1b\r", 0.0) == ["A\ufffd B"]


@given(st.lists(st.text("ABC019+/ .", min_size=1).filter(str.strip), max_size=8), st.integers(1, 9))
def test_codes_survive_any_cutting_of_the_stream(codes: list[str], size: int) -> None:
    stream = "\r\n".join([*codes, ""]).encode()
    decoder = Decoder()
    found = [code for start in range(0, len(stream), size) for code in decoder.feed(stream[start : start + size], 0.0)]
    assert found == [code.strip() for code in codes]


@given(st.lists(st.tuples(st.binary(max_size=50), st.floats(0, 1)), max_size=20))
def test_any_bytes_at_any_times_give_codes_or_nothing(pieces: list[tuple[bytes, float]]) -> None:
    decoder, now = Decoder(), 0.0
    for data, pause in pieces:
        now += pause
        assert all(code and code == code.strip() for code in decoder.feed(data, now))
