"""Badge cards: what is asked of them, and a real pcscd with Debian's virtual reader."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import BadDeviceUrl, DeviceUnavailable, State, open_scanner, scanner_for
from drivers.errors import MissingLibrary
from drivers.scanner import cards, ndef, pcsc
from drivers.scanner.api import Scanner
from tests.drivers.debian import library
from tests.drivers.patience import eventually
from tests.drivers.virtual_card import FILES_ATR, MEMORY_ATR, CardService, card_service, file_card, memory_card

pytestmark = pytest.mark.system
BADGE = "MB1:" + "6BF+70790T9WJWG.FKY*4GO0" * 12


@given(st.text(max_size=400))
def test_text_survives_both_kinds_of_cards(text: str) -> None:
    assert cards.text_of(memory_card("04A2B3C4", text, junk=b"\x00\x01\x03\xa0\x0c\x34"), MEMORY_ATR) == text
    assert cards.text_of(file_card("04A2B3C4", text), FILES_ATR) == text


def test_a_record_of_the_forum_s_own_example_is_read() -> None:
    """NFC Forum's Text Record Type Definition 1.0, annex: "Hello, World!" in English."""
    message = bytes.fromhex("D101105402656E48656C6C6F2C20576F726C6421")
    assert ndef.text_in(message) == "Hello, World!"
    assert ndef.text_message("Hello, World!") == message
    uri_first = bytes.fromhex("9101025500610000")[:6] + bytes.fromhex("510105540265 6E4869")
    assert ndef.text_in(uri_first) == "Hi"
    assert ndef.text_in(bytes.fromhex("D1010784026465")) is None
    assert ndef.text_in(b"\xd1\x01\x08T\x82de" + "Zoë".encode("utf-16-be")[:5]) is None
    assert ndef.text_in(b"\xd1\x01\x09T\x82de" + "Zoë".encode("utf-16-be")) == "Zoë"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    for each in (data, b"\x03" + data, b"\xd1" + data):
        list(ndef.records(each))
        ndef.text_in(each)
        ndef.message_in_blocks(each)


@given(st.lists(st.binary(max_size=20), max_size=30), st.sampled_from([MEMORY_ATR, FILES_ATR]))
def test_a_card_that_answers_nonsense_has_no_text(answers: list[bytes], atr: bytes) -> None:
    left = list(answers)
    assert cards.text_of(lambda _command: left.pop() if left else b"", atr) is None
    assert len(left) < len(answers) or not answers


def test_a_card_that_gives_its_answer_in_parts_is_heard_out() -> None:
    parts = {
        cards.GET_UID: b"\x6c\x04",
        b"\xff\xca\x00\x00\x04": b"\x04\xa2\x61\x02",
        b"\x00\xc0\x00\x00\x02": b"\xb3\xc4\x90\x00",
    }
    assert cards.number_of(lambda command: parts[command]) == "04A2B3C4"
    assert cards.number_of(file_card(None, None)) is None


@pytest.fixture(scope="module")
def service() -> Iterator[CardService]:
    library("smartcard.scard")
    with card_service() as running:
        yield running


@pytest.fixture
def scanner(service: CardService) -> Iterator[Scanner]:
    scanner = open_scanner("pcsc:///Virtual%20PCD")
    yield scanner
    scanner.close()


@pytest.mark.slow
def test_cards_give_their_text_or_their_number_once_each(service: CardService, scanner: Scanner) -> None:
    assert "no code has come yet" in scanner.health().reason
    for answer, atr, expected in (
        (memory_card("04A2B3C4D5E6F7", BADGE), MEMORY_ATR, BADGE),
        (memory_card("04A2B3C4D5E6F7"), MEMORY_ATR, "04A2B3C4D5E6F7"),
    ):
        card = service.lay(answer, atr)
        assert scanner.read(5.0) == expected
        assert scanner.read(0.2) is None, "a card that stays is one scan"
        card.take_away()
    assert scanner.health().state is State.READY


@pytest.mark.slow
def test_a_card_without_number_and_text_is_reported_and_the_next_one_counts(
    service: CardService, scanner: Scanner
) -> None:
    card = service.lay(file_card(None, None), FILES_ATR)
    assert eventually(lambda: scanner.read(0.1) is None and scanner.health().state is State.DEGRADED)
    assert "could not be read" in scanner.health().reason
    card.take_away()
    card = service.lay(memory_card("04A2B3C4"))
    assert scanner.read(5.0) == "04A2B3C4"
    assert scanner.health().state is State.READY
    card.take_away()


@pytest.mark.slow
def test_only_the_number_or_only_the_text_may_be_wanted(service: CardService) -> None:
    for wanted, expected in (("uid", "04A2B3C4"), ("text", BADGE)):
        scanner = open_scanner(f"pcsc://?card={wanted}")
        card = service.lay(file_card("04A2B3C4", BADGE), FILES_ATR)
        assert scanner.read(5.0) == expected
        card.take_away()
        scanner.close()


@pytest.mark.slow
def test_a_card_that_hangs_keeps_nobody_and_the_reader_comes_back(
    service: CardService, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc, "CARD_S", 0.3)
    card = service.lay(memory_card("04A2B3C4"), stalls=True)
    start = time.monotonic()
    with pytest.raises(DeviceUnavailable, match="does not finish"):
        scanner.read(10.0)
    assert time.monotonic() - start < 5
    assert scanner.health().state is State.ABSENT
    card.take_away()
    monkeypatch.undo()
    assert eventually(lambda: _opens(scanner))
    card = service.lay(memory_card("0499AABB"))
    assert scanner.read(5.0) == "0499AABB"
    card.take_away()


def test_a_card_gives_its_text_and_a_service_that_ended_and_came_back_goes_on(
    service: CardService, scanner: Scanner
) -> None:
    assert "no code has come yet" in scanner.health().reason
    card = service.lay(memory_card("04A2B3C4D5E6F7", BADGE))
    assert scanner.read(5.0) == BADGE
    assert scanner.health().state is State.READY
    service.stop()
    card.take_away()
    with pytest.raises(DeviceUnavailable, match="service"):
        scanner.read(5.0)
    assert scanner.health().state is State.ABSENT
    with pytest.raises(DeviceUnavailable):
        scanner.open()
    service.start()
    assert eventually(lambda: _opens(scanner))
    card = service.lay(memory_card("04A2B3C4"))
    assert scanner.read(5.0) == "04A2B3C4"
    card.take_away()


def test_a_reader_that_is_not_there_is_named_with_those_that_are(service: CardService) -> None:
    with pytest.raises(DeviceUnavailable, match=r"no card reader 'ACS ACR122U'.*Virtual PCD"):
        open_scanner("pcsc:///ACS%20ACR122U")


def test_without_a_card_read_returns_in_time(scanner: Scanner) -> None:
    start = time.monotonic()
    assert scanner.read(0.1) is None
    assert scanner.read(0) is None
    assert 0.09 <= time.monotonic() - start < 2


class Scard:
    """The library's calls for a reader without cards, that do what a test wants: a stand-in for what cannot be pulled out here."""

    SCARD_S_SUCCESS, SCARD_E_TIMEOUT, SCARD_E_NO_READERS_AVAILABLE, SCARD_SCOPE_SYSTEM = 0, 1, 2, 2
    SCARD_STATE_UNAWARE, SCARD_STATE_UNKNOWN, SCARD_STATE_UNAVAILABLE, SCARD_STATE_PRESENT = 0, 4, 8, 0x20

    def __init__(self, readers: list[str] | None = None) -> None:
        self.readers = ["ACS ACR122U 00 00"] if readers is None else readers
        self.state = 0
        self.answers = threading.Event()
        self.answers.set()
        self.failure: Exception | None = None

    def SCardEstablishContext(self, _scope: int) -> tuple[int, int]:  # noqa: N802 - the library's name
        self.answers.wait(20)
        return 0, 1

    def SCardReleaseContext(self, _context: int) -> None:  # noqa: N802 - the library's name
        pass

    def SCardListReaders(self, _context: int, _groups: list[str]) -> tuple[int, list[str]]:  # noqa: N802 - the library's name
        return (0, self.readers) if self.readers else (2, [])

    def SCardGetStatusChange(self, _context: int, wait_ms: int, _states: object) -> tuple[int, list]:  # noqa: N802 - the library's name
        if self.failure is not None:
            raise self.failure
        if not self.state:
            time.sleep(wait_ms / 10_000)
            return 1, []
        return 0, [("", self.state, [])]


@pytest.fixture
def scard(monkeypatch: pytest.MonkeyPatch) -> Scard:
    stand_in = Scard()
    monkeypatch.setattr(pcsc, "_library", lambda: stand_in)
    monkeypatch.setattr(pcsc, "OPEN_S", 0.2)
    return stand_in


def test_a_reader_that_is_pulled_out_is_absent_and_comes_back(scard: Scard) -> None:
    scanner = open_scanner("pcsc://")
    scanner.open()
    scard.state = Scard.SCARD_STATE_UNKNOWN
    with pytest.raises(DeviceUnavailable, match="was unplugged"):
        scanner.read(5.0)
    assert scanner.health().state is State.ABSENT
    with pytest.raises(DeviceUnavailable, match="not open"):
        scanner.read(0)
    scard.readers = []
    with pytest.raises(DeviceUnavailable, match="no card reader"):
        scanner.open()
    scard.readers, scard.state = ["ACS ACR122U 00 00"], 0
    scanner.open()
    assert scanner.health().state is State.READY
    scanner.close()


def test_a_service_that_never_answers_keeps_nobody_and_piles_nothing_up(scard: Scard) -> None:
    scard.answers.clear()
    scanner = scanner_for("pcsc://")
    start = time.monotonic()
    for _ in range(3):
        with pytest.raises(DeviceUnavailable, match="does not answer"):
            scanner.open()
    with pytest.raises(DeviceUnavailable, match="hangs"):
        scanner.open()
    assert time.monotonic() - start < 6
    scard.answers.set()
    assert eventually(lambda: _opens(scanner))
    scanner.close()


def test_a_library_that_fails_is_reported(scard: Scard) -> None:
    scanner = open_scanner("pcsc://")
    scard.failure = OverflowError("nobody foresaw this")
    with pytest.raises(DeviceUnavailable, match="nobody foresaw this"):
        scanner.read(5.0)


def test_without_the_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.scard", None)
    scanner = scanner_for("pcsc://")
    with pytest.raises(MissingLibrary, match="python3-pyscard"):
        scanner.open()
    assert scanner.health().state is State.FAULT


@pytest.mark.parametrize("url", ["pcsc://reader", "pcsc://?card=photo", "pcsc://?uid=dec"])
def test_an_address_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(BadDeviceUrl):
        scanner_for(url)


def _opens(scanner: Scanner) -> bool:
    try:
        scanner.open()
    except DeviceUnavailable:
        return False
    return True
