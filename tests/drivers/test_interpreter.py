"""The ESC/POS interpreter: commands, pieces, rubbish and bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from drivers.printer.document import Align
from drivers.printer.escpos_library import escpos_module
from drivers.printer.interpreter import MAX_BLOB_BYTES, Interpreter, Query
from drivers.printer.model import Bits, Blank, Code, Line, Picture, Receipt, Style
from drivers.printer.paper import EDGE_DOTS, MARGIN_DOTS, MAX_HEIGHT_DOTS, draw_receipt, receipt_png
from drivers.printer.strip import MAX_ROWS

CUT = b"\x1dV\x00"


def run(data: bytes) -> Receipt:
    interpreter = Interpreter()
    interpreter.feed(data + CUT)
    [receipt] = interpreter.strip.take_receipts()
    return receipt


def style_of(data: bytes) -> Style:
    row = run(data + b"x\n").rows[0]
    assert isinstance(row, Line)
    return row.parts[0].style


def test_each_style_command_changes_the_letters_after_it() -> None:
    assert style_of(b"\x1bE\x01").bold
    assert style_of(b"\x1b!\x38") == Style(bold=True, wide=2, tall=2)
    assert style_of(b"\x1d!\x12") == Style(wide=2, tall=3)
    assert style_of(b"\x1b-\x01").underline
    assert style_of(b"\x1dB\x01").inverse
    assert style_of(b"\x1bM\x01").small
    assert style_of(b"\x1bE\x01\x1b@") == Style()


def test_alignment_code_pages_and_line_ends() -> None:
    receipt = run(b"\x1ba\x01\x1bt\x12\xa5\n\x1ba\x32\x1bt\x11\x80\n")
    assert receipt.lines == ["ą", "\N{CYRILLIC CAPITAL LETTER A}"]
    assert [row.align for row in receipt.rows] == [Align.CENTER, Align.RIGHT]


def test_a_line_that_is_too_long_continues_on_the_next() -> None:
    assert run(b"x" * 50 + b"\n").lines == ["x" * 48, "xx"]


def test_a_raster_picture_stands_on_its_own_lines() -> None:
    receipt = run(b"ab\x1dv0\x00\x02\x00\x03\x00\xff\x00\x0f\xf0\xaa\x55")
    assert receipt.lines == ["ab"]
    assert receipt.rows[1] == Picture(Bits(16, 3, b"\xff\x00\x0f\xf0\xaa\x55"), Align.LEFT)


def test_a_column_picture_stands_in_the_line_between_letters() -> None:
    receipt = run(b"a\x1b*\x21\x02\x00\x80\x00\x00\x00\x00\x01b\n")
    [line] = (row for row in receipt.rows if isinstance(row, Line))
    bits = line.parts[1]
    assert isinstance(bits, Bits)
    assert (bits.width, bits.height, bits.rows[0], bits.rows[23]) == (2, 24, 0x80, 0x40)
    assert line.text == "a\ufffcb"


def test_a_graphics_picture_is_stored_then_printed() -> None:
    store = b"0p0\x01\x011\x08\x00\x02\x00\xf0\x0f"
    receipt = run(b"\x1d(L" + len(store).to_bytes(2, "little") + store + b"\x1d(L\x02\x0002")
    assert receipt.rows[0] == Picture(Bits(8, 2, b"\xf0\x0f"), Align.LEFT)


def test_a_code_is_kept_with_its_size_and_level() -> None:
    settings = b"\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1"
    receipt = run(settings + b"\x1d(k\x08\x001P0HELLO\x1d(k\x03\x001Q0")
    assert receipt.rows[0] == Code(b"HELLO", 6, "M", Align.LEFT)
    assert receipt.codes == ["HELLO"]


def test_questions_are_reported_in_order_and_are_no_part_of_the_receipt() -> None:
    interpreter = Interpreter()
    queries = interpreter.feed(b"\x10\x04\x01a\x10\x04\x02\x10\x04\x04\x1dr\x01\n" + CUT)
    assert queries == [Query.PRINTER, Query.OFFLINE_CAUSE, Query.PAPER, Query.PAPER_IN_ORDER]
    assert interpreter.strip.take_receipts()[0].text == "a"


def test_every_kind_of_cut_ends_a_receipt_and_blank_paper_is_none() -> None:
    interpreter = Interpreter()
    for cut in (b"\x1dV\x00", b"\x1dV\x01", b"\x1dV1", b"\x1dVA\x10", b"\x1dVB\x00", b"\x1bi", b"\x1bm"):
        interpreter.feed(b"x\n" + cut + b"\n" + cut)
    receipts = interpreter.strip.take_receipts()
    assert [receipt.text for receipt in receipts] == ["x"] * 7
    assert receipts[3].raw == b"x\n\x1dVA\x10"


def test_commands_it_does_not_draw_are_skipped_with_their_parameters() -> None:
    skipped = [
        b"\x1bp\x00\x19\x19", b"\x1dL\x10\x00", b"\x1dW\x40\x02", b"\x1bR\x08", b"\x1dh\x50", b"\x1bD\x08\x10\x00",
        b"\x1dk\x04123\x00", b"\x1dkI\x03abc", b"\x1d*\x01\x01" + bytes(8), b"\x1bW" + bytes(8), b"\x1c.", b"\x1cS\x00\x00",
        b"\x1bc5\x00", b"\x1b \x02", b"\x1d^\x01\x01\x00", b"\x1dI\x01", b"\x1b(A\x02\x00\x31\x32", b"\x10\x14\x01\x00\x01",
    ]  # fmt: skip
    for command in skipped:
        assert run(b"[" + command + b"]\n").lines == ["[]"], command


@given(st.binary(max_size=400), st.integers(1, 50))
def test_bytes_mean_the_same_however_they_are_cut_into_pieces(data: bytes, size: int) -> None:
    whole, pieces = Interpreter(), Interpreter()
    asked = whole.feed(data)
    asked_in_pieces = [
        query for start in range(0, len(data), size) for query in pieces.feed(data[start : start + size])
    ]
    assert asked == asked_in_pieces
    assert whole.strip.take_receipts() == pieces.strip.take_receipts()
    assert whole.strip.unfinished() == pieces.strip.unfinished()


COMMAND_LIKE = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [b"\x1b", b"\x1d", b"\x10\x04", b"\x1c", b"\x1dv0\x00", b"\x1b*\x21", b"\x1d(k", b"\x1d(L", b"\x1d8L"]
        ),
        st.sampled_from([b"\x1dV\x00", b"\x1b@", b"\x1d!\x77", b"\n", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"]),
    ),
    max_size=40,
).map(b"".join)


@given(COMMAND_LIKE)
def test_no_bytes_make_it_fail_and_whatever_it_printed_can_be_drawn(data: bytes) -> None:
    interpreter = Interpreter()
    interpreter.feed(data)
    unfinished = interpreter.strip.unfinished()
    for receipt in [*interpreter.strip.take_receipts(), *([unfinished] if unfinished else [])]:
        assert isinstance(receipt.text, str)
        assert receipt_png(receipt).startswith(b"\x89PNG")


def test_a_picture_that_claims_to_be_huge_is_swallowed_without_being_kept() -> None:
    interpreter = Interpreter()
    size = 0xFFFF * 0xFFFF
    interpreter.feed(b"\x1dv0\x00\xff\xff\xff\xff")
    for _ in range(64):
        interpreter.feed(bytes(MAX_BLOB_BYTES))
        assert len(interpreter._pending) < MAX_BLOB_BYTES
    assert interpreter._skip == size - 64 * MAX_BLOB_BYTES
    interpreter.switch_off()
    interpreter.feed(b"x\n" + CUT)
    assert interpreter.strip.take_receipts()[0].text == "x"


def test_a_swallowed_picture_ends_where_it_said() -> None:
    size = 2000 * 1000
    receipt = run(
        b"\x1dv0\x00" + (2000).to_bytes(2, "little") + (1000).to_bytes(2, "little") + bytes(size) + b"after\n"
    )
    assert receipt.lines == ["after"]
    assert not receipt.whole


def test_endless_paper_stays_within_its_bounds_and_says_that_it_is_not_whole() -> None:
    receipt = run(b"x\n" * (MAX_ROWS + 10))
    assert len(receipt.rows) == MAX_ROWS
    assert not receipt.whole
    assert draw_receipt(receipt).height <= MAX_HEIGHT_DOTS + 100


def test_pictures_together_stay_within_their_bound() -> None:
    picture = b"\x1dv0\x00\x48\x00\x00\x30" + b"\xaa" * (0x48 * 0x3000)
    receipt = run(picture * 6)
    assert sum(len(row.bits.rows) for row in receipt.rows if isinstance(row, Picture)) <= 4 << 20
    assert not receipt.whole


def test_switching_off_forgets_half_a_command_and_the_uncut_paper() -> None:
    interpreter = Interpreter()
    interpreter.feed(b"half\n\x1dv0\x00\x02\x00\x02\x00a")
    interpreter.switch_off()
    assert interpreter.strip.unfinished() is None
    assert interpreter.feed(b"\x10\x04\x01") == [Query.PRINTER]


def test_without_paper_nothing_is_drawn_but_questions_are_heard() -> None:
    interpreter = Interpreter()
    interpreter.strip.has_paper = False
    assert interpreter.feed(b"x\n\x10\x04\x04" + CUT) == [Query.PAPER]
    assert interpreter.strip.take_receipts() == []


def test_feeding_moves_the_paper_without_printing() -> None:
    receipt = run(b"x\n\x1bd\x02\x1bJ\x07\x1b3\x10\n\x1b2\n")
    assert [row.dots for row in receipt.rows if isinstance(row, Blank)] == [60, 7, 16, 30]


@pytest.mark.parametrize("way", ["bitImageRaster", "graphics", "bitImageColumn"])
def test_the_three_ways_in_which_the_library_sends_a_picture_print_the_same_dots(way: str) -> None:
    """Bytes made by python-escpos, not by our encoder: the two were written by different hands."""
    picture = Image.new("1", (48, 48), 1)
    ImageDraw.Draw(picture).ellipse((4, 8, 40, 44), fill=0)
    library = escpos_module("printer").Dummy(profile="TM-T20II")
    library.image(picture, impl=way)
    drawn = draw_receipt(run(library.output)).convert("L").point(lambda value: 0 if value < 128 else 255)
    box = (MARGIN_DOTS, EDGE_DOTS, MARGIN_DOTS + 48, EDGE_DOTS + 24)
    assert drawn.crop(box).convert("1").tobytes() == picture.crop((0, 0, 48, 24)).tobytes()
