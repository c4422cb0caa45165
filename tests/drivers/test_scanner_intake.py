"""What every scanner does with codes: debounce, bounds, card numbers, an opinion on what arrives."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.health import HealthRecord, State
from drivers.scanner.decode import Decoder
from drivers.scanner.intake import MAX_CHARS, MAX_CODES, Debounce, Intake
from drivers.scanner.uid import normal
from drivers.scanner.watch import FLOOD_BYTES, HOLD_S, NOISE_BYTES, WINDOW_S, Trouble, Watch


def drained(intake: Intake) -> list[str]:
    return list(iter(intake.take, None))


def test_a_code_that_stays_before_the_scanner_is_one_scan() -> None:
    debounce = Debounce(0.3)
    assert [debounce.is_new("A", now_s) for now_s in (0.0, 0.2, 0.4, 0.6)] == [True, False, False, False]
    assert debounce.is_new("B", 0.6)
    assert debounce.is_new("A", 0.95)
    assert Debounce(0.0).is_new("A", 0.0)


def test_debounce_remembers_a_bounded_number_of_codes() -> None:
    debounce = Debounce(10.0, keep=3)
    assert [debounce.is_new(code, 0.0) for code in "ABCDA"] == [True] * 5
    assert not debounce.is_new("D", 0.0)


def test_repeats_are_counted_not_passed_on() -> None:
    intake = Intake(debounce_s=0.3)
    intake.put(["A", "A", "B"], 6, 0.0)
    assert drained(intake) == ["A", "B"]
    assert intake.watch.counts["repeats"] == 1


@pytest.mark.parametrize(("size", "kept"), [(1, MAX_CODES), (4000, MAX_CHARS // 4000)])
def test_codes_nobody_takes_are_bounded_and_the_loss_is_reported(size: int, kept: int) -> None:
    intake = Intake()
    for number in range(MAX_CODES + 10):
        intake.put([str(number % 10) * size], 1, number / 10)
    assert len(drained(intake)) == kept
    assert intake.watch.trouble(101.0) is Trouble.OVERFLOW
    assert intake.watch.counts["dropped"] == MAX_CODES + 10 - kept
    intake.put(["NEXT"], 4, 102.0)
    assert drained(intake) == ["NEXT"]


def test_noise_is_a_trouble_until_codes_come_through_and_it_stays_calm() -> None:
    watch = Watch()
    watch.noise(0.0, 2)
    assert watch.trouble(0.0) is None, "a plug that goes in makes a byte or two"
    watch.noise(1.0, NOISE_BYTES)
    assert watch.trouble(60.0) is Trouble.UNREADABLE
    watch.heard(61.0, 5, 1)
    watch.noise(61.1, NOISE_BYTES)
    assert watch.trouble(61.2) is Trouble.UNREADABLE
    watch.heard(61.3, 5, 1)
    assert watch.trouble(61.4) is Trouble.UNREADABLE, "both in turns is no good scanner"
    assert watch.trouble(61.1 + HOLD_S + 0.1) is None


def test_a_flood_is_a_trouble_while_it_lasts_however_it_is_cut() -> None:
    watch = Watch()
    for number in range(FLOOD_BYTES + 1):
        watch.heard(number / FLOOD_BYTES, 1, 0)
        if number < 4000:
            assert watch.trouble(0.0) is None
    watch.heard(1.1, FLOOD_BYTES, 0)
    assert watch.trouble(1.1) is Trouble.FLOOD
    assert len(watch._arrived) <= 5000
    watch.heard(1.1 + WINDOW_S + HOLD_S, 5, 1)
    assert watch.trouble(1.2 + WINDOW_S + HOLD_S) is None


def test_a_new_life_of_the_device_begins_without_old_troubles() -> None:
    intake, health = Intake(), HealthRecord()
    intake.watch.noise(0.0, 99)
    intake.report(health, 0.0, "/dev/x")
    assert health().state is State.DEGRADED
    assert health().detail["unreadable"] == "99"
    intake.reset()
    intake.report(health, 0.0, "/dev/x")
    assert health().state is State.READY


def test_what_a_wrong_speed_makes_of_a_code_is_noise_and_no_code() -> None:
    decoder = Decoder()
    assert decoder.feed(bytes(0x80 | (byte * 5 & 0x7F) for byte in b"SOME-CODE") + b"\rGOOD\r", 0.0) == ["GOOD"]
    assert decoder.unreadable == 9


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [
        ("04a2b3c4", "hex", "04A2B3C4"),
        ("04:A2:B3:C4:D5:E6:F7", "hex", "04A2B3C4D5E6F7"),
        ("C4B3A204", "hex-reversed", "04A2B3C4"),
        ("77771732", "dec", "04A2B3D4"),
        ("0077771732", "dec", "04A2B3D4"),
        ("3568542212", "dec-reversed", "04A2B3D4"),
        ("1304955797453559", "dec", "04A2D9B2C13AF7"),
        ("0A00B1C2D3AA", "hex", "0A00B1C2D3"),
        ("0A00B1C2D3AB", "hex", "0A00B1C2D3AB"),
        ("MQ1:6BF", "hex", "MQ1:6BF"),
        ("ABC", "hex", "ABC"),
        ("12A4", "dec", "12A4"),
        ("9" * 30, "dec", "9" * 30),
    ],
)
def test_card_numbers_look_alike_however_a_reader_writes_them(text: str, written: str, expected: str) -> None:
    assert normal(text, written) == expected


@given(st.binary(min_size=4, max_size=4))
def test_one_card_has_one_number_in_every_reader(raw: bytes) -> None:
    spellings = {
        "hex": raw.hex(" "),
        "hex-reversed": raw[::-1].hex(),
        "dec": f"{int.from_bytes(raw, 'big'):010d}",
        "dec-reversed": f"{int.from_bytes(raw, 'little'):010d}",
    }
    assert {normal(text, written) for written, text in spellings.items()} == {raw.hex().upper()}


@pytest.mark.parametrize(
    "piece",
    [b"\xfe\x81\x00\xff" * 1024, b"A" * 4096, b"A\r" * 128, b"\r" * 4096],
    ids=["noise", "one endless code", "short codes", "Enter alone"],
)
def test_no_flood_grows_memory(piece: bytes) -> None:
    """Noise and other things that no scanner should send, without end; bounded by what may wait."""
    decoder, intake = Decoder(), Intake(debounce_s=0.3)
    tracemalloc.start()
    for number in range(200):  # all of it would be above the limit below
        now_s = number / 3
        intake.put(decoder.feed(piece, now_s), len(piece), now_s)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 700_000
