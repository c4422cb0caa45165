"""What the AT driver does with modems that prompt late or never, vanish midway, or talk nonsense; and its messages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import DeviceError, DeviceTimeout, State, modem_for, open_modem
from drivers.modem import at
from drivers.modem.api import NotSent, PerhapsSent, Sim, SimTrouble
from drivers.modem.causes import equipment_error, message_error
from drivers.modem.gsm7 import fits, plain
from drivers.modem.pdu import MOST_PARTS, submit
from drivers.modem.pty import PtyModem
from drivers.modem.simulator import Fault, Habits, SimulatedModem
from tests.drivers.patience import eventually
from tests.drivers.pdu_oracle import joined, part, read
from tests.drivers.pdu_oracle import text as text_of

NUMBER = "+491701234567"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[PtyModem]:
    made = PtyModem(tmp_path / "modem")
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("fault", ["no_prompt", "silent", "garbage"])
def test_what_breaks_before_the_end_of_the_message_was_certainly_not_sent(device: PtyModem, fault: str) -> None:
    modem = open_modem(device.url + "?timeout=0.2")
    device.modem.set_fault(fault)
    with pytest.raises(DeviceError) as failed:
        modem.send(NUMBER, "code", 3)
    assert failed.value.bytes_taken == 0
    assert modem.health().state in {State.FAULT, State.ABSENT}
    device.modem.set_fault(None)

    def opens() -> bool:
        try:
            modem.open()
        except DeviceError:
            return False
        return True

    assert eventually(opens)
    modem.send(NUMBER, "again", 3)
    assert joined(list(device.modem.pdus)) == [(NUMBER, "again")]
    modem.close()


def test_a_cable_pulled_in_the_middle_of_a_message_is_never_called_sent(device: PtyModem) -> None:
    modem = open_modem(device.url + "?timeout=0.2")
    device.modem.set_fault("unplug_midway")
    # Whether the driver had written the end already when the cable went is chance; both answers are honest.
    with pytest.raises(DeviceError):
        modem.send(NUMBER, "code", 3)
    assert list(device.modem.pdus) == []
    assert modem.health().state is State.ABSENT
    modem.close()


def test_a_slow_modem_is_waited_for(device: PtyModem) -> None:
    modem = open_modem(device.url + "?timeout=2")
    device.modem.set_fault("slow")
    assert modem.send(NUMBER, "code", 10).reference == "1"
    modem.close()


def test_a_message_an_earlier_owner_began_is_forgotten_first(device: PtyModem) -> None:
    first = open_modem(device.url + "?timeout=0.3")
    device.modem.receive(b"AT+CMGF=0\rAT+CMGS=20\r0011000C91")
    first.close()
    second = open_modem(device.url + "?timeout=0.3")
    second.send(NUMBER, "mine", 5)
    assert joined(list(device.modem.pdus)) == [(NUMBER, "mine")]
    second.close()


def test_what_is_no_modem_is_found_out_soon(tmp_path: Path) -> None:
    device = PtyModem(tmp_path / "modem")
    device.modem.set_fault("garbage")
    device.start()
    start = time.monotonic()
    with pytest.raises(DeviceTimeout, match="does not answer as a modem"):
        open_modem(device.url + "?timeout=0.2")
    assert time.monotonic() - start < 5
    device.stop()


def test_a_modem_that_talks_without_end_is_left(tmp_path: Path) -> None:
    device = PtyModem(tmp_path / "modem")
    device.start()
    modem = open_modem(device.url + "?timeout=0.3")
    device.modem.habits.chatter = b"\r\n^BOOT:1,2,3\r\n" * 6000
    start = time.monotonic()
    assert not modem.status().ready
    assert time.monotonic() - start < 5
    assert modem.health().state is State.FAULT
    device.stop()


def test_only_part_of_a_long_text_leaves_it_open(device: PtyModem) -> None:
    modem = open_modem(device.url + "?timeout=0.3")
    device.modem.break_after(1, Fault.REFUSED)
    with pytest.raises(PerhapsSent, match="1 of 2 parts") as some:
        modem.send(NUMBER, "x" * 200, 10)
    assert some.value.bytes_taken > 0
    modem.close()


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    file = tmp_path / "pin"
    file.touch(0o600)
    return file


class Locked:
    """A modem whose card has the PIN 4711, and a desk that is started again each time it `opens`."""

    def __init__(self, device: PtyModem, pin_file: Path, tries: Path) -> None:
        self.device = device
        self.tries = tries
        self._pin_file = pin_file
        self._url = f"{device.url}?timeout=0.3&pin_file={pin_file}"

    @property
    def card(self) -> SimulatedModem:
        return self.device.modem

    def opens(self, pin: str) -> str:
        """What is wrong after a start with this PIN in the file; '' if the modem can be used."""
        self._pin_file.write_text(f"{pin}\n")
        modem = modem_for(self._url, self.tries)
        try:
            modem.open()
        except DeviceError as error:
            assert modem.health().state in {State.FAULT, State.ABSENT}
            return error.reason
        else:
            assert modem.status().ready
            return ""
        finally:
            modem.close()


@pytest.fixture(params=["AT+CPINR", "AT+SPIC", ""], ids=["cpinr", "spic", "uncounted"])
def locked(
    request: pytest.FixtureRequest, tmp_path: Path, pin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Locked]:
    monkeypatch.setattr(at, "_UNLOCK_S", 1.0)
    device = PtyModem(tmp_path / "modem", SimulatedModem(Habits(pin="4711", counts=request.param)))
    device.start()
    yield Locked(device, pin_file, tmp_path / "sim-tries.json")
    device.stop()


def test_the_pin_is_given_from_its_file(locked: Locked) -> None:
    assert open_modem(locked.device.url + "?timeout=0.3").status().sim is Sim.PIN
    assert locked.opens("4711") == ""
    assert locked.card.pins_tried == 1
    assert not locked.tries.exists()


def test_a_wrong_pin_is_tried_once_however_often_the_desk_starts(locked: Locked) -> None:
    for _ in range(6):
        assert "refused the PIN" in locked.opens("4712")
    assert (locked.card.pins_tried, locked.card.tries_left) == (1, 2)
    assert "4712" not in locked.tries.read_text()
    assert locked.tries.stat().st_mode & 0o777 == 0o600
    assert locked.opens("4711") == "", "the file was corrected"
    assert not locked.tries.exists()


def test_no_number_of_starts_and_corrections_takes_the_last_try(locked: Locked) -> None:
    for pin in ("1111", "2222", "3333", "1111", "4444", "4711"):
        assert locked.opens(pin)
    assert (locked.card.pins_tried, locked.card.tries_left) == (2, 1)
    assert "telephone" in locked.opens("4711")


def test_in_a_telephone_the_card_gets_its_tries_back(locked: Locked) -> None:
    for pin in ("1111", "2222"):
        assert "refused" in locked.opens(pin)
    locked.card.tries_left = 3
    if not locked.card.habits.counts:
        assert f"then remove {locked.tries}" in locked.opens("4711")
        locked.tries.unlink()
    assert locked.opens("4711") == ""


def test_a_right_pin_is_given_again_where_no_answer_came(locked: Locked) -> None:
    """Unanswered is not refused: the cable was pulled, or the modem was slow."""
    for answer, words in ((b"", "did not say whether"), (b"\r\n+CME ERROR: 14\r\n", "is busy")):
        locked.card.habits.pin_answer = answer
        assert words in locked.opens("4711")
        assert "4711" not in (locked.tries.read_text() if locked.tries.exists() else "")
    locked.card.habits.pin_answer = None
    assert locked.opens("4711") == ""


def test_a_pin_that_is_never_answered_is_not_given_for_ever_to_a_card_that_counts_in_silence(locked: Locked) -> None:
    """It may have been wrong each time; where the card says that it has all its tries, it was not."""
    locked.card.habits.pin_answer = b""
    answers = [locked.opens("4711") for _ in range(4)]
    if locked.card.habits.counts:
        assert all("did not say whether" in each for each in answers)
    else:
        assert ["did not say whether" in each for each in answers] == [True, True, False, False]
        assert "2 tries were used" in answers[-1]


@pytest.mark.parametrize("locked", ["AT+CPINR", "AT+SPIC"], indirect=True)
def test_a_card_that_somebody_else_tried_is_left_alone(locked: Locked) -> None:
    locked.card.tries_left = 2
    assert "2 tries left" in locked.opens("4711")
    locked.card.tries_left = 1
    assert "1 try left" in locked.opens("4711")
    assert locked.card.pins_tried == 0


def test_a_memory_that_cannot_be_read_or_written_costs_no_try_of_a_card_that_does_not_count(locked: Locked) -> None:
    counts = bool(locked.card.habits.counts)
    locked.tries.write_text('[{"salt": 7}]')
    assert (locked.opens("4711") == "") is counts
    locked.tries.unlink(missing_ok=True)
    locked.device.replug()
    locked.tries = locked.tries.parent / "none" / "sim-tries.json"
    assert ("cannot be written" in locked.opens("4711")) is not counts
    assert locked.card.tries_left == 3


def test_a_pin_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    device = PtyModem(tmp_path / "modem", SimulatedModem(Habits(pin="4711")))
    device.start()
    pin = tmp_path / "pin"
    pin.write_text("4711")
    pin.chmod(0o644)
    with pytest.raises(SimTrouble, match="chmod 600"):
        open_modem(f"{device.url}?timeout=0.3&pin_file={pin}")
    pin.chmod(0o600)
    pin.write_text("no digits")
    with pytest.raises(SimTrouble, match="4 to 8 digits"):
        open_modem(f"{device.url}?timeout=0.3&pin_file={pin}")
    device.stop()


def test_causes_tell_what_is_certain() -> None:
    assert isinstance(message_error(331), NotSent)
    assert isinstance(message_error(350), PerhapsSent)
    assert isinstance(message_error(999), PerhapsSent)
    assert isinstance(equipment_error(30), NotSent)
    assert isinstance(equipment_error(100), PerhapsSent)
    gone = message_error(1)
    assert isinstance(gone, NotSent)
    assert gone.lasting


@given(st.text(st.sampled_from("aß€^{}~|[]\\@Δ 😀李é\n"), min_size=1, max_size=400))
def test_another_library_reads_what_was_written(text: str) -> None:
    try:
        pdus = submit(NUMBER, text, 9)
    except ValueError:
        return
    assert joined([each.hex for each in pdus]) == [(NUMBER, text)]
    for pdu in pdus:
        fields = read(pdu.hex)
        assert fields["validity-hours"] == 24
        assert pdu.length == len(pdu.hex) // 2 - 1
        # 140 octets of user data are what one message holds.
        encoded = fields["dcs"]["encoding"]
        assert encoded == ("gsm" if fits(text) else "ucs2")
    assert (part(read(pdus[0].hex)) is None) == (len(pdus) == 1)


def test_no_pair_is_cut_where_a_message_ends() -> None:
    for filler in range(140, 160):
        for pdu in submit(NUMBER, "a" * filler + "€" * 8, 3):
            assert set(text_of(pdu.hex)) <= set("a€")
    for filler in range(60, 70):
        pdus = submit(NUMBER, "李" * filler + "😀" * 8, 3)
        assert joined([each.hex for each in pdus]) == [(NUMBER, "李" * filler + "😀" * 8)]


def test_typographic_signs_do_not_double_the_price() -> None:
    assert fits(plain("“Grüße” – ‘7\u00a0Uhr’…"))
    assert len(submit(NUMBER, "“" + "x" * 150 + "”", 1)) == 1


def test_a_text_of_too_many_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        submit(NUMBER, "李" * (67 * MOST_PARTS + 1), 1)
