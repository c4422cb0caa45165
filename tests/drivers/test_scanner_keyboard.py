"""Scanners that pretend to be keyboards: key events to codes, wrong layouts found out, the device itself."""

from __future__ import annotations

import ctypes
import random
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import BadDeviceUrl, DeviceUnavailable, State, open_scanner, scanner_for
from drivers.errors import MissingLibrary
from drivers.scanner.evdev import KeyboardScanner
from drivers.scanner.guess import LayoutGuess, pattern
from drivers.scanner.keys import EV_KEY, EV_SYN, MAX_KEYS, SYN_DROPPED, SYN_REPORT, KeyDecoder, text_of
from drivers.scanner.layouts import NAMES, TABLES, strokes_for
from drivers.scanner.typist import Event, down, events_for, numbered_events_for, press, up
from mqtt_bridge.protocol import base45
from mqtt_bridge.protocol.errors import ProtocolError
from tests.drivers.keyboard import PretendKeyboard, pretend

RECEIPT = "MQ1:6BF+70790T9WJWG.FKY*4GO0/$%- Z"
ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
expect_receipt = pattern(r"MQ1:[0-9A-Z $%*+./:\-]+")


def texts(decoder: KeyDecoder, events: list[Event], now_s: float = 0.0) -> list[str | None]:
    return [text_of(typed, "us") for typed in decoder.feed(events, now_s)]


@given(ASCII)
def test_whatever_a_us_keyboard_writes_is_read(text: str) -> None:
    assert texts(KeyDecoder(), events_for(text)) == [text]
    assert texts(KeyDecoder(), numbered_events_for(text)) == [text]


@given(
    st.sampled_from(sorted(NAMES)), st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", min_size=1, max_size=40)
)
def test_every_keyboard_can_write_a_receipt_and_is_read_as_what_it_is(layout: str, text: str) -> None:
    if layout == "ch":
        # Caps Lock or a dead key aside, a Swiss keyboard has all of it, too.
        assert text_of(strokes_for(text, layout), layout) == text
    assert [text_of(typed, layout) for typed in KeyDecoder().feed(events_for(text, layout), 0.0)] == [text]


def test_enter_tab_control_m_and_a_pause_end_a_code() -> None:
    decoder = KeyDecoder(gap_s=0.3)
    assert texts(decoder, events_for("A") + events_for("B", end=15) + events_for("C", end=96)) == ["A", "B", "C"]
    assert texts(decoder, events_for("D", end=None) + down(29) + press(50) + up(29)) == ["D"]
    assert texts(decoder, events_for("E", end=None), 10.0) == []
    assert decoder.gap_left_s(10.1) == pytest.approx(0.2)
    assert [text_of(typed, "us") for typed in decoder.flush(10.4)] == ["E"]
    assert texts(decoder, press(28) + press(28), 11.0) == []


def test_repeat_control_keys_and_caps_lock_are_understood() -> None:
    repeat = [(EV_KEY, 30, 2)] * 5
    assert texts(KeyDecoder(), down(30) + repeat + up(30) + press(28)) == ["a"]
    assert texts(KeyDecoder(), press(58) + events_for("aB1") + press(58) + events_for("aB1")) == ["Ab1", "aB1"]
    assert texts(KeyDecoder(), down(29) + press(46) + up(29) + down(125) + press(19) + up(125) + events_for("X")) == [
        "X"
    ]
    assert text_of(strokes_for("ß", "de"), "us") == "-"


def test_keys_that_are_no_letters_around_a_code_are_left_out() -> None:
    f2, num_lock, arrow_down, brazilian = press(60), press(69), press(108), press(89)
    assert texts(KeyDecoder(), f2 + num_lock + events_for("CODE", end=None) + arrow_down + press(28)) == ["CODE"]
    assert texts(KeyDecoder(), events_for("A", end=None) + brazilian + press(28)) == [None]


def test_events_the_kernel_lost_spoil_one_code_and_are_counted() -> None:
    decoder = KeyDecoder()
    lossy = [*events_for("HALF", end=None), (EV_SYN, SYN_DROPPED, 0), *down(42), *events_for("REST")]
    assert texts(decoder, lossy + events_for("next")) == ["next"]
    assert decoder.lost == 1


def test_a_code_that_is_too_long_is_dropped_whole() -> None:
    decoder = KeyDecoder()
    assert texts(decoder, events_for("x" * (MAX_KEYS + 1)) + events_for("NEXT")) == ["NEXT"]
    assert decoder.dropped == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 250), st.integers(-1, 3)), max_size=300))
def test_any_events_give_codes_or_nothing(events: list[Event]) -> None:
    decoder = KeyDecoder()
    for typed in decoder.feed(events, 0.0) + decoder.flush(9.0):
        for layout in NAMES:
            text = text_of(typed, layout)
            assert text is None or text


def test_the_tables_agree_with_those_of_the_system() -> None:
    """Oracle: libxkbcommon with xkb-data, which know nothing of ours. Letters beyond ASCII may differ in accents that are dead keys."""
    system = _Xkb()
    for layout in NAMES:
        for (key, level), char in TABLES[layout].items():
            # The number pad's digits hang on Num Lock, and AltGr has letters that scanners do not use.
            if 71 <= key <= 83 or key in {55, 57, 98} or level == 2 or not char.isascii() or char in "^`~":
                continue
            assert system.char(layout, key, level) == char, (layout, key, level)


class _Xkb:
    class _Names(ctypes.Structure):
        _fields_ = tuple((name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options"))

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libxkbcommon.so.0")
        for name in ("xkb_context_new", "xkb_keymap_new_from_names"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.xkb_context_new(0))
        self._maps: dict[str, ctypes.c_void_p] = {}

    def char(self, layout: str, key: int, level: int) -> str:
        if layout not in self._maps:
            names = self._Names(b"evdev", b"pc105", layout.encode(), b"", b"")
            self._maps[layout] = ctypes.c_void_p(
                self._library.xkb_keymap_new_from_names(self._context, ctypes.byref(names), 0)
            )
        symbols = ctypes.POINTER(ctypes.c_uint32)()
        get = self._library.xkb_keymap_key_get_syms_by_level
        found = get(self._maps[layout], key + 8, 0, level, ctypes.byref(symbols))
        return chr(self._library.xkb_keysym_to_utf32(symbols[0])) if found else ""


def scanned(guess: LayoutGuess, text: str, layout: str) -> str | None:
    return guess.read(strokes_for(text, layout))


def test_a_right_keyboard_is_left_alone() -> None:
    guess = LayoutGuess()
    guess.expect(expect_receipt)
    assert scanned(guess, RECEIPT, "us") == RECEIPT
    assert scanned(guess, "some badge", "us") == "some badge"
    assert guess.complaint == ""


def test_azerty_is_found_out_and_put_right_for_every_code_from_then_on() -> None:
    guess = LayoutGuess(candidates=["fr", "de"])
    guess.expect(expect_receipt)
    assert scanned(guess, RECEIPT, "fr") == RECEIPT
    assert scanned(guess, "AQWZ-12", "fr") == "AQWZ-12"
    assert "another keyboard (French)" in guess.complaint
    assert "layout=fr" in guess.complaint


def test_what_several_keyboards_could_have_meant_is_not_put_right() -> None:
    """A German scanner and a Spanish one send the same keys for different receipts: only Y and Z tell, and both are letters."""
    guess = LayoutGuess()
    guess.expect(expect_receipt)
    as_us = text_of(strokes_for(RECEIPT, "de"), "us")
    assert scanned(guess, RECEIPT, "de") == as_us
    assert "could not be put right for sure" in guess.complaint
    assert "German" in guess.complaint
    assert "Spanish" in guess.complaint
    # Without Y and Z all of them mean the same.
    assert scanned(guess, "MQ1:AB*/", "de") == "MQ1:AB*/"


def test_a_sharper_look_at_codes_settles_what_letters_alone_do_not() -> None:
    """The owner may know more than an alphabet: here a checksum."""

    def looks_right(text: str) -> bool:
        head, _, rest = text.partition(":")
        try:
            data = base45.decode(rest)
        except ProtocolError:
            return False
        return head == "MQ1" and len(data) > 1 and sum(data[:-1]) % 256 == data[-1]

    chance = random.Random(7)
    guess = LayoutGuess()
    guess.expect(looks_right)
    for _ in range(20):
        data = chance.randbytes(60)
        receipt = "MQ1:" + base45.encode(data + bytes((sum(data) % 256,)))
        if {*"YZ"} & {*receipt}:
            assert scanned(guess, receipt, "de") == receipt
    assert "German" in guess.complaint
    assert "Spanish" not in guess.complaint
    assert "Swiss" not in guess.complaint or scanned(guess, "Y-Z", "ch") == "Y-Z"


@pytest.mark.parametrize("layout", sorted(NAMES))
def test_one_scan_of_the_calibration_code_settles_it(layout: str) -> None:
    guess = LayoutGuess(calibration="MARQUEE YZ/+-*:$ aqwzm,.;")
    assert scanned(guess, "MARQUEE YZ/+-*:$ aqwzm,.;", layout) is None
    for code in (RECEIPT, "ABCD-YZ12", "lower case"):
        assert scanned(guess, code, layout) == code
    assert scanned(guess, "MARQUEE YZ/+-*:$ aqwzm,.;", "us") is None, "the scanner was set right meanwhile"
    assert guess.complaint == ""


def test_what_is_expected_of_several_sides_counts_alike() -> None:
    guess = LayoutGuess(candidates=["fr"])
    guess.expect(pattern("BADGE-[0-9]+"))
    guess.expect(expect_receipt)
    for code in ("BADGE-17", RECEIPT):
        assert scanned(guess, code, "us") == code
        assert guess.complaint == ""
        assert scanned(guess, code, "fr") == code
        assert "French" in guess.complaint


def test_caps_lock_is_found_out() -> None:
    guess = LayoutGuess()
    guess.expect(expect_receipt)
    assert scanned(guess, RECEIPT.lower(), "us") == RECEIPT
    assert "Caps Lock" in guess.complaint


def test_letters_a_us_keyboard_lacks_are_noticed_without_knowing_any_code() -> None:
    guess = LayoutGuess()
    typed = KeyDecoder().feed([*down(100), *press(16), *up(100), *press(28)], 0.0)[0]  # AltGr and Q: @ in Germany
    assert guess.read(typed) is not None
    assert "does not have" in guess.complaint


@given(st.sampled_from(sorted(NAMES)), st.sampled_from(sorted(NAMES)), st.text("ABYZ0:/-", min_size=1, max_size=12))
def test_a_code_is_put_right_only_where_all_candidates_agree(truth: str, other: str, rest: str) -> None:
    receipt = "MQ1:" + rest
    guess = LayoutGuess(candidates=[truth, other])
    guess.expect(expect_receipt)
    got = scanned(guess, receipt, truth)
    meant = {text_of(strokes_for(receipt, truth), layout) for layout in ("us", truth, other)}
    possible = {text for text in meant if text and expect_receipt(text)}
    assert got == (receipt if len(possible) == 1 else text_of(strokes_for(receipt, truth), "us"))


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendKeyboard]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kbd"
        keyboard = PretendKeyboard(path)
        pretend(monkeypatch, {str(path): keyboard})
        yield keyboard
        keyboard.close()


def test_it_is_had_alone(keyboard: PretendKeyboard) -> None:
    first = open_scanner(keyboard.url)
    assert keyboard.grabbed_by is not None
    with pytest.raises(DeviceUnavailable, match="alone"):
        open_scanner(keyboard.url)
    first.close()
    assert keyboard.grabbed_by is None


def test_a_wrong_layout_degrades_health_with_what_to_do(keyboard: PretendKeyboard) -> None:
    keyboard.layout = "fr"
    scanner = open_scanner(keyboard.url + "?expect=" + quote(r"MQ1:[0-9A-Z $%*+./:\-]+"))
    keyboard.scan(RECEIPT)
    assert scanner.read(2.0) == RECEIPT
    assert scanner.health().state is State.DEGRADED
    assert re.search(r"types for another keyboard \(French\); .* layout=fr", scanner.health().reason)
    keyboard.layout = "us"
    keyboard.scan(RECEIPT + "2")
    assert scanner.read(2.0) == RECEIPT + "2"
    assert scanner.health().state is State.READY
    scanner.close()


def test_the_owner_may_say_what_codes_look_like(keyboard: PretendKeyboard) -> None:
    keyboard.layout = "fr"
    scanner = open_scanner(keyboard.url)
    assert isinstance(scanner, KeyboardScanner)
    scanner.expect(expect_receipt)
    keyboard.scan(RECEIPT)
    assert scanner.read(2.0) == RECEIPT
    scanner.close()


def test_a_scanner_without_enter_is_read_by_its_pauses_and_without_its_frame(keyboard: PretendKeyboard) -> None:
    keyboard.end = None
    scanner = open_scanner(keyboard.url + "?gap=0.05&prefix=%7E&suffix=%23")
    keyboard.scan("~CODE#")
    assert scanner.read(2.0) == "CODE"
    scanner.close()


def test_a_card_reader_that_types_numbers_gives_the_card_s_number(keyboard: PretendKeyboard) -> None:
    scanner = open_scanner(keyboard.url + "?uid=dec-reversed")
    keyboard.scan("2596069124")
    assert scanner.read(2.0) == "04DFBC9A"
    scanner.close()


def test_codes_that_were_lost_on_the_way_are_reported(keyboard: PretendKeyboard) -> None:
    scanner = open_scanner(keyboard.url + "?gap=5")  # a busy machine's pause ends no code here
    keyboard.send(
        [*events_for("HALF", end=None), (EV_SYN, SYN_DROPPED, 0), (EV_SYN, SYN_REPORT, 0), *events_for("A CODE")]
    )
    assert scanner.read(0.1) is None
    assert scanner.health().state is State.DEGRADED
    assert "Scan again" in scanner.health().reason
    keyboard.scan("A CODE")
    assert scanner.read(2.0) == "A CODE"
    sender = threading.Thread(target=keyboard.scan, args=["x" * (MAX_KEYS + 1)])
    sender.start()
    while sender.is_alive():
        assert scanner.read(0.1) is None
    assert scanner.read(0.1) is None
    assert "too long" in scanner.health().reason
    assert scanner.health().detail["dropped"] == "2"
    scanner.close()


def test_what_is_no_keyboard_is_refused(keyboard: PretendKeyboard) -> None:
    keyboard.keys = (272, 273)
    with pytest.raises(DeviceUnavailable, match="no keyboard"):
        open_scanner(keyboard.url)


def test_without_the_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evdev", None)
    scanner = scanner_for("evdev:///dev/input/event0")
    with pytest.raises(MissingLibrary, match="python3-evdev"):
        scanner.open()
    assert scanner.health().state is State.FAULT


@pytest.mark.parametrize("options", ["layouts=us,klingon", "layout=klingon", "expect=(", "gap=9"])
def test_an_address_that_cannot_be_meant_is_refused(options: str) -> None:
    with pytest.raises(BadDeviceUrl):
        scanner_for(f"evdev:///dev/input/event0?{options}")
