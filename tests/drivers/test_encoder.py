"""The encoder, judged by our own interpreter, by Pillow and by an independent QR reader."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from drivers.errors import BadDeviceUrl
from drivers.fonts import draw_text
from drivers.printer.document import QR, Align, Columns, Cut, Document, Drawer, Feed, Image, Rule, Text, Title
from drivers.printer.encoder import render
from drivers.printer.interpreter import Interpreter
from drivers.printer.layout import cells, split_runs, wrap
from drivers.printer.model import Bits, Letters, Line, Picture, Receipt
from drivers.printer.paper import receipt_png
from drivers.printer.profile import load_profile, profile_names

PROFILE = load_profile()
IN_CODE_PAGES = {
    "Polish": "Iga Świątek Łódź",
    "Greek": "Ελένη Παπαδοπούλου",
    "Cyrillic": "Дмитрий Шостакович",
    "Czech": "Dvořák Janáček",
    "Turkish": "İbrahim Ağaoğlu",
    "Euro": "12,50 €",
}
DRAWN = {"Chinese": "李小龙", "Arabic": "محمد علي", "Hebrew": "שלום כהן", "emoji": "🎭🎟️", "Thai": "สมชาย"}


def printed(document: Document, profile: str = "TM-T20II") -> Receipt:
    interpreter = Interpreter()
    interpreter.feed(render(document, profile))
    receipts = interpreter.strip.take_receipts()
    assert len(receipts) == 1
    assert receipts[0].whole
    return receipts[0]


def pictures(receipt: Receipt) -> list[Bits]:
    return [part for row in receipt.rows if isinstance(row, Line) for part in row.parts if isinstance(part, Bits)]


@pytest.mark.parametrize("name", IN_CODE_PAGES.values(), ids=IN_CODE_PAGES)
def test_a_name_that_code_pages_cover_is_printed_letter_by_letter(name: str) -> None:
    assert printed(Document.of(Text(name), Cut())).text == name


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN)
@pytest.mark.parametrize("neighbour", IN_CODE_PAGES.values(), ids=IN_CODE_PAGES)
def test_a_name_that_must_be_drawn_does_not_touch_its_neighbours(drawn: str, neighbour: str) -> None:
    receipt = printed(Document.of(Columns(f"{neighbour} {drawn}", neighbour), Text(neighbour), Cut()))
    first, second = receipt.lines
    assert first.startswith(f"{neighbour} ")
    assert first.endswith(f" {neighbour}")
    assert first.count("\ufffc") >= 1
    assert second == neighbour
    assert any(any(bits.rows) for bits in pictures(receipt))


def test_letters_and_pictures_of_a_line_fill_the_paper_exactly() -> None:
    receipt = printed(Document.of(Columns("Zoë 李小龙 Łukasz محمد", "12,50 €"), Cut()))
    line = next(row for row in receipt.rows if isinstance(row, Line))
    assert sum(part.width_dots for part in line.parts) == PROFILE.width_dots


def test_a_gap_between_two_right_to_left_words_is_drawn_with_them_so_that_their_order_holds() -> None:
    runs = split_runs("Name: محمد علي (2)", PROFILE)
    assert [(run.text, run.page is None) for run in runs] == [("Name: ", False), ("محمد علي", True), (" (2)", False)]


def test_a_line_that_begins_from_the_right_is_put_in_order_as_one() -> None:
    runs = split_runs("שרה (Sara) כהן", PROFILE)
    assert [(run.text, run.page is None) for run in runs] == [("שרה (Sara) כהן", True)]
    assert [run.page is None for run in split_runs("Sara שרה Cohen", PROFILE)] == [False, True, False]


def test_names_from_the_right_in_both_columns_keep_their_columns() -> None:
    columns = Document.of(Columns("محمد الأحمد", "علي"), Cut())
    line = next(row for row in printed(columns).rows if isinstance(row, Line))
    left, gap, right = line.parts
    assert isinstance(gap, Letters)
    assert left.width_dots > right.width_dots, "the longer name is the left one"
    interpreter = Interpreter()
    interpreter.feed(render(columns, "POS-5890"))
    whole = interpreter.strip.unfinished()
    assert whole is not None
    [bits] = (row.bits for row in whole.rows if isinstance(row, Picture))
    paper = PillowImage.frombytes("1", (bits.width, bits.height), bits.rows, "raw", "1;I")
    for text, at in (("محمد الأحمد", 0), ("علي", bits.width - draw_text("علي", 24).width)):
        drawn = draw_text(text, 24)
        assert paper.crop((at, 0, at + drawn.width, 24)).tobytes() == drawn.tobytes()


def test_a_large_line_with_a_name_to_draw_becomes_one_picture() -> None:
    receipt = printed(Document.of(Text("Zoë 李", size=2, bold=True), Text("next"), Cut()))
    picture = next(row for row in receipt.rows if isinstance(row, Picture))
    assert (picture.bits.width, picture.bits.height) == (576, 48)
    assert receipt.lines == ["next"]


def test_a_printer_without_column_pictures_gets_whole_lines_as_rasters() -> None:
    interpreter = Interpreter()
    interpreter.feed(render(Document.of(Text("Zoë 李"), Text("next")), "simple"))
    receipt = interpreter.strip.unfinished()
    assert receipt is not None
    assert [type(row) for row in receipt.rows] == [Picture, Line]
    assert receipt.lines == ["next"]


@pytest.mark.parametrize(
    "evil",
    ["\x1b@\x1dV\x00", "a\x10\x04\x01b", "\x00\x07\x7f\x9b", "\u202eevil\u202c", "\ud800", "a\u2028b", "\r\n\t"],
    ids=["cut", "status", "controls", "bidi override", "lone surrogate", "line separator", "white space"],
)
def test_a_name_cannot_smuggle_a_command_to_the_printer(evil: str) -> None:
    document = Document.of(Title(evil), Text(evil, size=3), Columns(evil, evil), Text("after"), Cut())
    interpreter = Interpreter()
    assert interpreter.feed(render(document)) == []
    receipts = interpreter.strip.take_receipts()
    assert len(receipts) == 1
    assert receipts[0].lines[-1] == "after"


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_any_text_prints_on_one_receipt_and_leaves_the_last_line_alone(texts: list[str]) -> None:
    receipt = printed(Document.of([Text(text) for text in texts], Columns(texts[0], texts[-1]), Text("last"), Cut()))
    assert receipt.lines[-1] == "last"
    assert all(sum(p.width_dots for p in row.parts) <= 576 for row in receipt.rows if isinstance(row, Line))


def test_words_wrap_between_words_and_long_words_inside() -> None:
    assert wrap("a play for a rainy evening", 10, PROFILE) == ["a play for", "a rainy", "evening"]
    assert wrap("x" * 25, 10, PROFILE) == ["x" * 10, "x" * 10, "x" * 5]
    assert wrap("one\ntwo", 10, PROFILE) == ["one", "two"]
    assert all(cells(line, PROFILE) <= 10 for line in wrap("李小龙" * 20, 10, PROFILE))


def test_a_name_of_ten_thousand_letters_prints_in_reasonable_paper() -> None:
    receipt = printed(Document.of(Text("ab " * 3_333), Cut()))
    assert len(receipt.lines) == -(-len("ab " * 3_333) // 48)


def test_two_texts_that_do_not_fit_beside_each_other_go_below_each_other() -> None:
    receipt = printed(Document.of(Columns("left " * 4, "r" * 44), Cut()))
    assert receipt.lines == ["left left left left", "r" * 44]
    assert receipt.rows[1].align is Align.RIGHT


def test_styles_reach_the_paper_and_do_not_leak_into_the_next_block() -> None:
    receipt = printed(Document.of(Title("T"), Text("small"), Rule(), Feed(2), Text("R", align=Align.RIGHT), Cut()))
    title, small, rule, right = (row for row in receipt.rows if isinstance(row, Line))
    assert (title.parts[0].style.wide, title.parts[0].style.bold, title.align) == (2, True, Align.CENTER)
    assert (small.parts[0].style.wide, small.parts[0].style.bold, small.align) == (1, False, Align.LEFT)
    assert rule.text == "─" * 48
    assert right.align is Align.RIGHT


def read_code(receipt: Receipt) -> str:
    picture = PillowImage.open(io.BytesIO(receipt_png(receipt)))
    white = PillowImage.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    found = zxingcpp.read_barcodes(white)
    assert len(found) == 1
    return found[0].text


@pytest.mark.parametrize("profile", ["TM-T20II", "TM-T88II", "RP326"])
@pytest.mark.parametrize("data", ["HELLO", "6BF+70790T9WJWG.FKY*4GO0.O1CV2" * 10, "https://example.org/Łódź"])
def test_a_printed_code_is_read_back_from_the_picture_of_the_paper(profile: str, data: str) -> None:
    assert read_code(printed(Document.of(QR(data), Cut()), profile)) == data


def test_a_printer_without_its_own_codes_gets_a_picture_that_reads_the_same() -> None:
    interpreter = Interpreter()
    interpreter.feed(render(Document.of(QR("6BF+70790T9WJWG", module_dots=4)), "simple"))
    receipt = interpreter.strip.unfinished()
    assert receipt is not None
    assert not receipt.codes
    assert read_code(receipt) == "6BF+70790T9WJWG"


def test_a_code_that_no_qr_code_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"(?i)data"):
        render(Document.of(QR("x" * 5000)))


def test_printers_of_other_makes_are_taken_out_of_chinese_mode() -> None:
    assert b"\x1c." in render(Document.of(Text("x")), "POS-5890")
    assert b"\x1c." not in render(Document.of(Text("x")), "TM-T20II")


def test_importing_the_library_leaves_no_folder_behind_and_the_log_alone(tmp_path: Path) -> None:
    """python-escpos makes a temporary folder, loads a pickle from it and configures logging at import."""
    program = (
        "import logging, os, sys\n"
        "from drivers.printer.profile import load_profile, profile_names\n"
        "load_profile()\n"
        "assert logging.getLogger().handlers == [], logging.getLogger().handlers\n"
        "assert 'ESCPOS_CAPABILITIES_PICKLE_DIR' not in os.environ\n"
        "print(os.listdir(os.environ['TMPDIR']))\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
    assert logging.getLogger("escpos").level == logging.NOTSET


def png(picture: PillowImage.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


PHOTO = png(PillowImage.linear_gradient("L").resize((400, 300)))


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_of_the_database_lays_out_every_block(name: str) -> None:
    blocks = (
        Title("Łódź 李"),
        Columns("Zoë", "12,50 €"),
        Rule(),
        Image(PHOTO, instead="PHOTO"),
        Drawer(),
        QR("abc"),
        Cut(),
    )
    interpreter = Interpreter()
    interpreter.feed(render(Document.of(*blocks), name))
    assert interpreter.strip.take_receipts() or interpreter.strip.unfinished()


def test_an_unknown_profile_is_refused_with_the_names_that_are_near() -> None:
    with pytest.raises(BadDeviceUrl, match=r"did you mean TM-T20II.*Known profiles: AF-240"):
        load_profile("tm-t20")


def test_a_picture_keeps_its_greys_as_a_share_of_dark_dots() -> None:
    receipt = printed(Document.of(Image(PHOTO, share=0.5), Cut()))
    picture = next(row for row in receipt.rows if isinstance(row, Picture))
    dots = PillowImage.frombytes("1", (picture.bits.width, picture.bits.height), picture.bits.rows)
    middle = dots.crop((160, 0, 400, picture.bits.height)).convert("L")
    thirds = [middle.crop((0, top, 240, top + 50)).histogram()[255] for top in (0, 80, 160)]
    assert thirds[0] > thirds[1] > thirds[2] > 0, thirds


def test_a_logo_without_dithering_is_the_same_black_and_white_and_what_is_transparent_stays_paper() -> None:
    logo = PillowImage.new("RGBA", (64, 64), (0, 0, 0, 0))
    logo.paste((0, 0, 0, 255), (16, 16, 48, 48))
    receipt = printed(Document.of(Image(png(logo), align=Align.LEFT, dither=False), Cut()))
    [picture] = (row for row in receipt.rows if isinstance(row, Picture))
    dots = PillowImage.frombytes("1", (64, 64), picture.bits.rows)
    assert dots.getbbox() == (16, 16, 48, 48)
    assert dots.crop((16, 16, 48, 48)).convert("L").getextrema() == (255, 255)


def test_a_tall_picture_is_sent_in_bands_that_join() -> None:
    receipt = printed(Document.of(Image(png(PillowImage.new("L", (80, 800), 0)), align=Align.LEFT), Cut()))
    heights = [row.bits.height for row in receipt.rows if isinstance(row, Picture)]
    assert sum(heights) == 800
    assert max(heights) <= 256


def test_a_photo_is_never_sent_over_a_line_that_is_too_slow_for_it() -> None:
    document = Document.of(Image(PHOTO, instead="Photo on file"), Cut())
    slow = render(document, bytes_per_s=960)
    assert b"Photo on file" in slow
    assert len(slow) < 100
    assert len(render(document, bytes_per_s=500_000)) > 15_000


@pytest.mark.parametrize("data", [b"", b"no picture", PHOTO[:60], PHOTO[: len(PHOTO) // 2]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        render(Document.of(Image(data)))


def test_a_picture_of_absurd_size_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(ValueError, match="million pixels"):
        render(Document.of(Image(png(PillowImage.new("1", (6000, 6000))))))


@pytest.mark.parametrize(("pin", "connector"), [(2, 0), (5, 1)])
def test_a_drawer_is_opened_by_a_pulse_on_its_pin(pin: int, connector: int) -> None:
    assert b"\x1bp" + bytes([connector, 50, 250]) in render(Document.of(Drawer(pin)))
    interpreter = Interpreter()
    interpreter.feed(render(Document.of(Drawer(pin))))
    assert interpreter.drawer_kicks == [pin]


def test_a_printer_that_prints_no_pictures_gets_names_in_the_letters_it_has() -> None:
    data = render(Document.of(Text("Zażółć 李 é"), QR("abc"), Cut()), "TM-U220")
    interpreter = Interpreter()
    interpreter.feed(data)
    receipt = interpreter.strip.unfinished()
    assert receipt is not None
    assert "Zaz" in receipt.text
    assert "?" in receipt.text
    assert "cannot print the code" in receipt.text
    assert b"\x1b*" not in data
    assert b"\x1dv0" not in data
