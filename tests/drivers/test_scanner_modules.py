"""Serial modules that take commands: found at any speed, set up, watched; the simulated module loses what a real one loses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import BadDeviceUrl, DeviceUnavailable, State, open_scanner, scanner_for
from drivers.scanner import gm65, rt
from drivers.scanner import serial as serial_driver
from drivers.scanner.module import Gm65Brain, PtyModule, RtBrain
from tests.drivers.patience import eventually


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pty answers at once, so that less patience shows the same."""
    monkeypatch.setattr(serial_driver, "ANSWER_S", 0.05)
    monkeypatch.setattr(serial_driver, "PROBE_S", 0.8)


@pytest.fixture
def module(tmp_path: Path) -> Iterator[PtyModule]:
    module = PtyModule(Gm65Brain(), tmp_path / "scanner")
    yield module
    module.close()


def brain_of(module: PtyModule) -> Gm65Brain:
    assert isinstance(module.brain, Gm65Brain)
    return module.brain


def test_frames_are_those_of_the_manual() -> None:
    assert gm65.command(gm65.READ, gm65.BAUD, b"\x02").hex() == "7e000701002a02d80f"
    assert gm65.command(gm65.WRITE, gm65.BAUD, b"\x39\x01").hex() == "7e000802002a3901a7ea"
    assert gm65.command(gm65.SAVE, 0, b"\x00").hex() == "7e000901000000dec8"
    assert gm65.answer(b"\x00").hex() == "02000001003331"
    assert gm65.Gm65().baud_command(9600) == bytes.fromhex("7e000802002a3901a7ea")
    assert gm65.Gm65().baud_command(115200)[6:8] == b"\x1a\x00"
    assert rt.command("C11", "*").hex(" ") == "7e 01 30 30 30 30 40 43 31 31 2a 3b 03"
    assert rt.answer("128ENA", "1").hex(" ") == "02 01 30 30 30 30 40 31 32 38 45 4e 41 31 06 3b 03"


@given(
    st.lists(st.sampled_from([b"CODE-1\r", b"\x02X\x03\r", b"\x02", b"\x02\x00\x00\x01", gm65.answer(b"\xd6")])),
    st.integers(1, 9),
)
def test_answers_are_found_between_codes_however_the_stream_is_cut(parts: list[bytes], size: int) -> None:
    """What is no answer stays text, byte for byte; an answer cut in two is found whole."""
    dialect, stream = gm65.Gm65(), b"".join(parts)
    text, answers, rest = b"", [], b""
    for start in range(0, len(stream), size):
        more, found, rest = dialect.sift(rest + stream[start : start + size])
        text += more
        answers += found
    whole, all_found, left = dialect.sift(stream)
    assert (text, answers, rest) == (whole, all_found, left)
    assert len(text) + sum(len(each) + 4 for each in answers) + len(rest) == len(stream)


@given(
    st.lists(st.sampled_from([b"CODE-1\r", b"\x02X\x03\r", b"\x02\x010000@", rt.answer("CIDENA", "0")])),
    st.integers(1, 9),
)
def test_the_other_family_is_sifted_alike(parts: list[bytes], size: int) -> None:
    dialect, stream = rt.Rt(), b"".join(parts)
    text, answers, rest = b"", [], b""
    for start in range(0, len(stream), size):
        more, found, rest = dialect.sift(rest + stream[start : start + size])
        text += more
        answers += found
        assert len(rest) < 80
    assert sum(len(each) + 8 for each in answers) + len(text) + len(rest) == len(stream)


def test_a_module_from_the_factory_is_set_up_and_its_settings_are_kept(module: PtyModule) -> None:
    scanner = open_scanner(module.url + "?proto=gm65&mode=sense")
    brain = brain_of(module)
    assert brain.zones[gm65.OUTPUT] & 0b1110_0101 == 1, "plain codes that end with CR"
    assert brain.zones[gm65.AIM_ID] == 0
    assert brain.zones[gm65.MODE] == 0xD7, "only the bits of the mode are changed"
    assert brain.saved == 1
    module.scan("CODE")
    assert scanner.read(2.0) == "CODE"
    scanner.close()
    scanner.open()
    assert brain.saved == 1, "flash is not worn by settings that are right already"
    assert scanner.health().state is State.READY
    scanner.close()


@pytest.mark.parametrize("baud", [115200, 38400])
def test_a_module_is_found_at_the_speed_it_has(module: PtyModule, baud: int) -> None:
    module.brain.baud = baud
    scanner = open_scanner(module.url + "?proto=gm65")
    module.scan("CODE")
    assert scanner.read(2.0) == "CODE"
    scanner.close()


def test_a_wanted_speed_is_set_although_the_answer_is_lost_in_the_change(module: PtyModule) -> None:
    scanner = open_scanner(module.url + "?proto=gm65&baud=115200")
    assert module.brain.baud == 115200
    module.scan("CODE")
    assert scanner.read(2.0) == "CODE"
    assert scanner.health().state is State.READY
    scanner.close()


@pytest.mark.parametrize("place", range(8))
def test_two_answers_that_get_lost_one_after_the_other_change_nothing(module: PtyModule, place: int) -> None:
    """Whichever they are: of the search, of reading, of writing, of saving."""
    brain, hear, answered = brain_of(module), module.brain.hear, 0

    def count(data: bytes) -> tuple[list[bytes], bytes]:
        nonlocal answered
        answers, rest = hear(data)
        if answers and answered == place:
            module.lose = 2
        answered += len(answers)
        return answers, rest

    brain.hear = count  # type: ignore[method-assign]
    scanner = open_scanner(module.url + "?proto=gm65")
    assert module.lose == 0
    assert brain.zones[gm65.AIM_ID] == 0
    assert brain.saved >= 1
    assert scanner.health().state is State.READY
    scanner.close()


def test_a_module_that_is_still_starting_is_waited_for(module: PtyModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_driver, "PROBE_S", 2.0)
    module.deaf_until_s = time.monotonic() + 0.3
    scanner = open_scanner(module.url + "?proto=gm65")
    assert scanner.health().state is State.READY
    scanner.close()


def test_a_module_that_answers_nothing_is_read_and_said_to_be_mute(module: PtyModule) -> None:
    module.mute = True
    scanner = open_scanner(module.url + "?proto=gm65&alive=0.1")
    assert scanner.health().state is State.DEGRADED
    assert "does not answer as a GM65" in scanner.health().reason
    module.scan("CODE")
    assert scanner.read(2.0) == "CODE"
    module.mute = False
    assert eventually(lambda: scanner.read(0.05) is None and scanner.health().state is State.READY)
    assert brain_of(module).saved == 1, "set up as soon as it answers"
    scanner.close()


def test_a_factory_reset_while_scanning_is_noticed_and_repaired(module: PtyModule) -> None:
    """Somebody held the reset code of the manual before it: it is at 9600 again, with all its ids."""
    scanner = open_scanner(module.url + "?proto=gm65&baud=115200")
    module.restart(brain_of(module).reset, silent_s=0.2)
    module.scan("LOST TO THE WRONG SPEED")
    with pytest.raises(DeviceUnavailable, match="looking for its speed"):
        scanner.read(2.0)
    scanner.open()
    assert module.brain.baud == 115200
    module.scan("CODE")
    assert scanner.read(2.0) == "CODE"
    scanner.close()


def test_a_module_that_falls_silent_is_unavailable(module: PtyModule) -> None:
    scanner = open_scanner(module.url + "?proto=gm65&alive=0.2")
    for _ in range(10):
        assert scanner.read(0.05) is None
    assert scanner.health().state is State.READY, "it answers when it is asked"
    module.mute = True
    with pytest.raises(DeviceUnavailable, match="does not answer any more"):
        scanner.read(5.0)
    assert scanner.health().state is State.ABSENT


def test_codes_and_answers_that_come_byte_by_byte_are_kept_apart(module: PtyModule) -> None:
    module.trickle = True
    scanner = open_scanner(module.url + "?proto=gm65&alive=0.1")
    sender = threading.Thread(target=module.send, args=["".join(f"CODE-{number}\r" for number in range(20)).encode()])
    sender.start()
    assert [scanner.read(2.0) for _ in range(20)] == [f"CODE-{number}" for number in range(20)]
    sender.join()
    scanner.close()


def test_a_code_whose_end_looks_like_an_answer_is_not_kept_back(module: PtyModule) -> None:
    scanner = open_scanner(module.url + "?proto=gm65&gap=0.1")
    for number, end in enumerate((b"\x02", b"\x02\x00", b"\x02\x00\x00\x09")):
        module.send(b"CODE-%d" % number + end)
        assert scanner.read(2.0) == f"CODE-{number}"
    scanner.close()


def test_a_cable_pulled_while_the_module_is_looked_for_ends_the_search(
    module: PtyModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serial_driver, "PROBE_S", 30.0)
    module.mute = True
    hand = threading.Timer(0.2, module.unplug)
    hand.start()
    scanner = scanner_for(module.url + "?proto=gm65")
    with pytest.raises(DeviceUnavailable):
        scanner.open()
    hand.join()
    assert scanner.health().state is State.ABSENT
    assert "gone" in scanner.health().reason


def test_a_speed_that_cannot_be_set_is_said(module: PtyModule, tmp_path: Path) -> None:
    other = PtyModule(RtBrain(), tmp_path / "rt")
    scanner = open_scanner(other.url + "?proto=rt&baud=115200")
    assert scanner.health().state is State.DEGRADED
    assert "its baud rate" in scanner.health().reason
    other.scan("CODE")
    assert scanner.read(2.0) == "CODE"
    scanner.close()
    other.close()


def test_a_plain_scanner_at_the_wrong_speed_is_said_to_be_unreadable(module: PtyModule) -> None:
    module.brain.baud = 115200
    scanner = open_scanner(module.url + "?baud=9600&gap=0.05")
    module.scan("A-CODE-NOBODY-CAN-READ")
    assert scanner.read(0.3) is None
    assert scanner.health().state is State.DEGRADED
    assert "is the baud rate (9600) right?" in scanner.health().reason
    scanner.close()


def test_a_babbling_module_neither_blocks_nor_fills_memory_and_is_reported(module: PtyModule) -> None:
    scanner = open_scanner(module.url + "?gap=0.05")
    module.babble = True
    start = time.monotonic()
    while scanner.health().state is State.READY and time.monotonic() - start < 5:
        before = time.monotonic()
        assert scanner.read(0.1) is None
        assert time.monotonic() - before < 1
    assert scanner.health().state is State.DEGRADED
    assert any(word in scanner.health().reason for word in ("without pause", "not readable", "too long"))
    assert isinstance(scanner, serial_driver.SerialScanner)
    assert len(scanner._decoder._buffer) <= 4096
    module.babble = False
    assert eventually(lambda: scanner.read(0.1) is None)
    module.scan("\rSTILL HERE")
    assert eventually(lambda: scanner.read(0.1) == "STILL HERE")
    scanner.close()


def test_an_unplugged_module_comes_back_set_up(module: PtyModule) -> None:
    scanner = open_scanner(module.url + "?proto=gm65")
    module.unplug()
    with pytest.raises(DeviceUnavailable):
        scanner.read(1.0)
    brain_of(module).reset()
    module.replug()
    scanner.open()
    assert brain_of(module).zones[gm65.AIM_ID] == 0
    scanner.close()


def test_an_rt_scanner_is_set_up(tmp_path: Path) -> None:
    brain = RtBrain()
    module = PtyModule(brain, tmp_path / "rt")
    module.lose = 1
    scanner = open_scanner(module.url + "?proto=rt&mode=continuous&baud=9600")
    assert brain.settings == {"SCNMOD": "3", "CIDENA": "0", "AIDENA": "0", "TSUENA": "1"}
    assert scanner.health().state is State.READY
    scanner.close()
    scanner.open()
    assert brain.saved == 4, "nothing is written twice"
    scanner.close()
    del brain.settings["AIDENA"]
    scanner.open()
    assert scanner.health().state is State.DEGRADED
    assert "no AIM id" in scanner.health().reason
    scanner.close()
    module.close()


def test_a_mode_needs_a_module_that_has_it() -> None:
    with pytest.raises(BadDeviceUrl, match="mode"):
        scanner_for("serial:///dev/ttyUSB0?mode=sense")
    with pytest.raises(BadDeviceUrl, match="proto"):
        scanner_for("serial:///dev/ttyUSB0?proto=morse")
