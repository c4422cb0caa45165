"""What our bytes print on a printer that is not ours, read back by programs that are not ours either."""

from __future__ import annotations

import difflib
import io
import re
import socket
from collections.abc import Iterator

import pytest
from PIL import Image as PillowImage
from PIL import ImageChops, ImageDraw

from appliance.domain.paper import Stationery, lay_out
from appliance.domain.printing import Badge, PrintedTicket, SalesReceipt, Stub
from drivers import open_printer
from drivers.errors import CoverOpen, DeviceError, PaperOut, PrinterNotReady
from drivers.fonts import face_for
from drivers.printer.api import Cover, Paper, Printer, PrinterStatus
from drivers.printer.document import QR, Align, Block, Columns, Cut, Document, Image, Text, Title
from drivers.printer.encoder import render
from drivers.printer.model import LETTER_DOTS
from drivers.printer.paper import _TAIL_DOTS, EDGE_DOTS, draw_receipt
from drivers.printer.simulator import SimulatedPrinter
from tests.oracles.foreign_printer import WIDTH_DOTS, ForeignPrinter, foreign_printer, read
from tests.oracles.foreign_printer import Paper as Printed

RECEIPT = "MQ1:6BF+70790T9WJWG.FKY*4GO0.O1CV2-6BF70790T9WJWGFKY4GO0O1CV26BF70790T9WJWGFKY4GO0O1CV2"
TICKET = PrintedTicket(
    event="Songs of the River",
    starts_at_ms=1_764_100_800_000,
    timezone="Europe/Berlin",
    venue="North Hall",
    ticket_type="Concession",
    code="ABCD2345",
    receipt=RECEIPT,
    price_minor=1234,
    currency="EUR",
)
OTHER = PrintedTicket(
    event="Songs of the River",
    starts_at_ms=1_764_100_800_000,
    timezone="Europe/Berlin",
    venue="North Hall",
    ticket_type="Adult",
    code="WXYZ6789",
    receipt=RECEIPT.replace("FKY", "XYZ"),
    price_minor=2000,
    currency="EUR",
)
STUB = Stub(TICKET, 1_764_100_800_000, "door", "c1")
SALE = SalesReceipt("HJKM4567", "North Hall", (TICKET, OTHER), 3234, 3234, "EUR", "cash", "anna", 1_764_100_800_000)

LETTER_BY_LETTER = {
    "Polish": "Iga Świątek Łódź Zażółć gęślą",
    "Czech": "Antonín Dvořák Leoš Janáček",
    "Turkish": "İbrahim Ağaoğlu Şükrü",
    "Greek": "Ελένη Παπαδοπούλου",
    "Russian": "Дмитрий Шостакович",
    "Ukrainian": "Ольга Іваненко Її",
    "Nordic": "Bjørn Ångström Æsa",
    "several": "Zoë Świątek Дмитрий Ελένη İbrahim 12,50 €",
}
DRAWN = {
    "Chinese": ("李小龙 王芳 张伟", "chi_sim"),
    "Arabic": ("محمد علي الأحمد", "ara"),
    "Hebrew": ("שלום כהן לוי", "heb"),
    "Thai": ("สมชาย ใจดี", "tha"),
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignPrinter]:
    with foreign_printer(tmp_path_factory.mktemp("foreign")) as printer:
        yield printer
        assert "printer.command.unknown" not in printer.log(), printer.log()


@pytest.fixture
def printer(foreign: ForeignPrinter) -> Iterator[Printer]:
    opened = open_printer(foreign.url)
    yield opened
    opened.close()


def paper_of(foreign: ForeignPrinter, printer: Printer, document: Document, profile: str = "TM-T20II") -> Printed:
    printer.write(render(document, profile), 5.0)
    assert printer.confirm(5.0)
    return foreign.next_paper()


def shown(blocks: tuple[Block, ...]) -> list[str]:
    """The words of a document, in order, each piece on its own."""
    words: list[str] = []
    for block in blocks:
        if isinstance(block, Text | Title):
            words.append(block.text)
        elif isinstance(block, Columns):
            words += [block.left, block.right]
    return words


def alike(expected: str, found: str) -> float:
    """How alike two texts are, from 0 to 1, whatever spaces stand between their letters."""
    # A zero with a stroke is what the foreign printer's letters have and what readers take for an 8 or an O.
    wanted, seen = (re.sub(r"\s", "", text).replace("Ø", "0") for text in (expected, found))
    return difflib.SequenceMatcher(a=wanted, b=seen, autojunk=False).ratio()


@pytest.mark.parametrize("job", [STUB, SALE, Badge(TICKET, "Zoë Świątek")], ids=["stub", "sales receipt", "badge"])
def test_a_ticket_printed_elsewhere_says_what_it_should_and_its_codes_can_be_read(
    foreign: ForeignPrinter, printer: Printer, job: Stub | SalesReceipt | Badge
) -> None:
    document = lay_out(job, Stationery())
    paper = paper_of(foreign, printer, document)
    everything = " ".join(paper.text.split())
    for words in shown(document.blocks):
        assert " ".join(words.split()) in everything
    assert paper.codes() == sorted(block.data for block in document.blocks if isinstance(block, QR))


@pytest.mark.parametrize("job", [STUB, SALE, Badge(TICKET, "Zoë Świątek 李")], ids=["stub", "sales receipt", "badge"])
def test_our_simulated_printer_and_the_foreign_one_print_the_same_lines_on_as_much_paper(
    foreign: ForeignPrinter, printer: Printer, job: Stub | SalesReceipt | Badge
) -> None:
    document = lay_out(job, Stationery())
    paper = paper_of(foreign, printer, document)
    ours = SimulatedPrinter()
    ours.receive(render(document))
    receipt = ours.receipts()[-1]
    # A picture within a line, a code and a picture are words in brackets there and nothing here.
    theirs = [
        re.sub(r"\[image [^]]*\]", "\ufffc", line).rstrip() for line in paper.lines if line and line[:4] != "[qr "
    ]
    assert [line for line in theirs if line != "\ufffc"] == [line for line in receipt.lines if line.strip("\ufffc")]
    assert abs(draw_receipt(receipt).height - 2 * EDGE_DOTS - _TAIL_DOTS - paper.picture.height) <= LETTER_DOTS


@pytest.mark.parametrize("job", [STUB, SALE], ids=["stub", "sales receipt"])
def test_a_reader_of_letters_finds_the_words_in_the_picture_of_the_paper(
    foreign: ForeignPrinter, printer: Printer, job: Stub | SalesReceipt
) -> None:
    document = lay_out(job, Stationery())
    # Without the codes, in whose squares a reader of letters finds some too.
    words_only = Document(tuple(block for block in document.blocks if not isinstance(block, QR)))
    found = paper_of(foreign, printer, words_only).read("eng")
    assert alike("".join(shown(document.blocks)), found) > 0.9, found


@pytest.mark.parametrize("name", LETTER_BY_LETTER.values(), ids=LETTER_BY_LETTER)
def test_a_name_in_code_pages_is_the_same_by_the_other_programs_tables(
    foreign: ForeignPrinter, printer: Printer, name: str
) -> None:
    paper = paper_of(foreign, printer, Document.of(Text(name), Columns(name[:20], "1 ×"), Cut()))
    assert paper.lines[0] == name
    assert paper.lines[1].startswith(name[:20].rstrip())
    assert paper.lines[1].endswith(" 1 ×")


@pytest.mark.parametrize(("name", "language"), DRAWN.values(), ids=DRAWN)
def test_a_name_that_is_drawn_is_read_back_in_its_script(
    foreign: ForeignPrinter, printer: Printer, name: str, language: str
) -> None:
    if any(face_for(letter, 40) is None for letter in name):
        pytest.skip(f"no font has the letters of {name}: apt-get install fonts-wqy-zenhei fonts-tlwg-loma-otf")
    paper = paper_of(foreign, printer, Document.of(Text(name, size=2), Text(f"x {name} x"), Cut()))
    large = paper.picture.crop((0, 0, WIDTH_DOTS, 48))
    assert alike(name, read(large, language)) > 0.85
    assert paper.lines[-1].startswith("x [image")
    assert paper.lines[-1].endswith(" x"), "neighbours stay letters"


def test_a_line_of_two_directions_is_read_in_its_order(foreign: ForeignPrinter, printer: Printer) -> None:
    paper = paper_of(foreign, printer, Document.of(Text("שלום 123 כהן", size=2), Cut()))
    assert alike("שלום 123 כהן", read(paper.picture.crop((0, 0, WIDTH_DOTS, 48)), "heb+eng")) > 0.85


@pytest.mark.parametrize("profile", ["TM-T20II", "POS-5890"], ids=["by the printer", "as a picture"])
@pytest.mark.parametrize("data", [RECEIPT, "HTTPS://EXAMPLE.ORG/Łódź?a=1&b=2", "x" * 300])
def test_a_code_is_read_back_whoever_draws_it(
    foreign: ForeignPrinter, printer: Printer, profile: str, data: str
) -> None:
    # The printer without its own codes has no knife either; the cut for the foreign one is given by hand.
    printer.write(render(Document.of(QR(data), Cut()), profile) + b"\x1dV\x00", 5.0)
    assert printer.confirm(5.0)
    assert foreign.next_paper().codes() == [data]


def test_a_logo_is_the_same_dots_at_the_place_where_it_belongs(foreign: ForeignPrinter, printer: Printer) -> None:
    logo = PillowImage.new("L", (200, 300), 255)
    ImageDraw.Draw(logo).polygon([(100, 10), (190, 290), (10, 290)], fill=0)
    document = Document.of(Image(png(logo), share=200 / WIDTH_DOTS, dither=False), Text("below"), Cut())
    paper = paper_of(foreign, printer, document)
    left = (WIDTH_DOTS - 200) // 2
    assert ImageChops.difference(paper.picture.crop((left, 0, left + 200, 300)), logo).getbbox() is None
    outside = paper.picture.crop((0, 0, left, 300))
    assert outside.getextrema() == (255, 255)
    assert paper.lines[-1] == "below"


def test_a_photo_has_its_greys_as_dots(foreign: ForeignPrinter, printer: Printer) -> None:
    photo = PillowImage.linear_gradient("L").resize((300, 300))
    paper = paper_of(foreign, printer, Document.of(Image(png(photo), align=Align.LEFT), Cut()))
    seen = paper.picture.crop((0, 0, 300, 300)).resize((1, 10), PillowImage.Resampling.BOX)
    wanted = photo.resize((1, 10), PillowImage.Resampling.BOX)
    assert all(abs(a - b) < 16 for a, b in zip(seen.tobytes(), wanted.tobytes(), strict=True))


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("paper-out", PrinterStatus(Paper.OUT, Cover.CLOSED, online=False), PaperOut),
        ("paper-near-end", PrinterStatus(Paper.LOW, Cover.CLOSED, online=True), None),
        ("cover-open", PrinterStatus(Paper.OK, Cover.OPEN, online=False), CoverOpen),
        ("offline", PrinterStatus(Paper.OK, Cover.CLOSED, online=False), PrinterNotReady),
    ],
)
def test_a_foreign_printers_own_words_are_understood(
    foreign: ForeignPrinter, printer: Printer, fault: str, status: PrinterStatus, error: type[DeviceError] | None
) -> None:
    with foreign.fault(fault):
        assert printer.status() == status
        if error is not None:
            with pytest.raises(error):
                printer.status().raise_if_not_ready()
    assert printer.status() == PrinterStatus(Paper.OK, Cover.CLOSED, online=True)


def test_automatic_status_that_somebody_switched_on_confuses_no_answer(
    foreign: ForeignPrinter, printer: Printer
) -> None:
    """GS a 255: from then on the printer sends four bytes whenever anything about it changes."""
    printer.write(b"\x1da\xff", 1.0)
    with foreign.fault("cover-open"):
        assert printer.status().cover is Cover.OPEN
    assert printer.status() == PrinterStatus(Paper.OK, Cover.CLOSED, online=True)
    paper = paper_of(foreign, printer, Document.of(Text("still here"), Cut()))
    assert paper.lines == ["still here"]


def test_two_users_of_one_network_printer_print_one_receipt_each(foreign: ForeignPrinter, printer: Printer) -> None:
    address = foreign.url.removeprefix("escpos+tcp://").partition("?")[0].split(":")
    with socket.create_connection((address[0], int(address[1])), 5) as stranger:
        stranger.sendall(b"\x1b@from elsewhere\n\x1dV\x00")
        assert foreign.next_paper().lines == ["from elsewhere"]
    assert paper_of(foreign, printer, Document.of(Text("from the desk"), Cut())).lines == ["from the desk"]


def png(picture: PillowImage.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
