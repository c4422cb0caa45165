"""What every modem backend promises, run over each that can run here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import BadDeviceUrl, DeviceError, DeviceUnavailable, State, modem_for, open_modem
from drivers.modem.api import NotSent, PerhapsSent, Sim
from drivers.modem.sim import SimModem
from tests.drivers.modem_rigs import MockManager, ModemRig, at_rig, bare_at_rig, managed_rig, mock_manager, sim_rig
from tests.drivers.patience import eventually

NUMBER = "+491701234567"
CODE = "Marquee: booking 3F7K-9QXA, Puppet Night, Fri 27 Nov 20:00"
LOCAL: dict[str, Callable[[Path], Iterator[ModemRig]]] = {"sim": sim_rig, "at": at_rig, "bare_at": bare_at_rig}


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockManager]:
    with mock_manager(tmp_path_factory.mktemp("bus")) as found:
        yield found


@pytest.fixture(params=[*LOCAL, pytest.param("modemmanager", marks=pytest.mark.system)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModemRig]:
    if request.param == "modemmanager":
        yield from managed_rig(request.getfixturevalue("manager"))
    else:
        yield from LOCAL[request.param](tmp_path)


def test_a_fresh_modem_is_not_called_ready_before_it_said_so(rig: ModemRig) -> None:
    assert rig.modem.health().state is State.DEGRADED
    status = rig.modem.status()
    assert status.ready
    assert status.sim is Sim.READY
    assert status.signal_percent == 68
    assert rig.modem.health().state is State.READY
    assert "good reception" in rig.modem.health().reason
    assert rig.modem.health().detail["signal"] == "68"


@pytest.mark.parametrize(
    "text", [CODE, "Grüße: {[~]} € ^|\\ 12", "Łódź 李 😀", "x" * 152 + "€" * 5, "😀" * 70], ids=str.__len__
)
def test_a_message_arrives_as_it_was_written(rig: ModemRig, text: str) -> None:
    sent = rig.modem.send(NUMBER, text, 10)
    assert sent.reference
    assert rig.taken() == [(NUMBER, text)]


def test_messages_arrive_once_and_in_order(rig: ModemRig) -> None:
    for each in range(3):
        rig.modem.send("0170123456", f"number {each}", 10)
    assert rig.taken() == [("0170123456", f"number {each}") for each in range(3)]


@pytest.mark.parametrize("number", ["", "12", "+49 170", "0170-1", "+", "1" * 21, "eve@example.org"])
def test_what_is_no_number_is_refused_before_the_modem_hears_of_it(rig: ModemRig, number: str) -> None:
    with pytest.raises(NotSent) as refused:
        rig.modem.send(number, CODE, 10)
    assert refused.value.lasting
    assert rig.taken() == []


def test_a_text_that_is_empty_or_far_too_long_is_refused(rig: ModemRig) -> None:
    for text in ("", "x" * 2000):
        with pytest.raises(NotSent) as refused:
            rig.modem.send(NUMBER, text, 10)
        assert refused.value.lasting
    assert rig.taken() == []


def test_what_the_network_refuses_was_certainly_not_sent(rig: ModemRig) -> None:
    rig.fault("refused")
    with pytest.raises(NotSent) as refused:
        rig.modem.send(NUMBER, CODE, 10)
    assert refused.value.bytes_taken == 0
    assert not refused.value.lasting
    rig.fault("bad_number")
    with pytest.raises(NotSent) as never:
        rig.modem.send(NUMBER, CODE, 10)
    assert never.value.lasting
    rig.fault("")
    assert rig.opens()
    rig.modem.send(NUMBER, CODE, 10)
    assert rig.taken() == [(NUMBER, CODE)]


def test_an_answer_that_explains_nothing_leaves_it_open(rig: ModemRig) -> None:
    rig.fault("unsure")
    with pytest.raises(PerhapsSent, match="ask the guest") as unsure:
        rig.modem.send(NUMBER, CODE, 10)
    assert unsure.value.bytes_taken > 0


def test_silence_after_the_message_is_never_taken_for_a_no(rig: ModemRig) -> None:
    rig.fault("unanswered")
    start = time.monotonic()
    with pytest.raises(PerhapsSent) as unsure:
        rig.modem.send(NUMBER, CODE, 0.4)
    assert unsure.value.bytes_taken > 0
    assert time.monotonic() - start < 5
    rig.fault("")
    assert eventually(rig.ready)
    rig.modem.send(NUMBER, "another", 10)
    assert rig.taken() == [(NUMBER, CODE), (NUMBER, "another")]


def test_a_cable_pulled_after_the_message_leaves_it_open(rig: ModemRig) -> None:
    rig.fault("lost")
    with pytest.raises(PerhapsSent):
        rig.modem.send(NUMBER, CODE, 10)


def test_an_unplugged_modem_is_absent_and_comes_back(rig: ModemRig) -> None:
    assert rig.ready()
    rig.plug(False)
    with pytest.raises(DeviceError) as gone:
        rig.modem.send(NUMBER, CODE, 5)
    assert gone.value.bytes_taken == 0
    assert not rig.modem.status().ready
    assert rig.modem.health().state is State.ABSENT
    with pytest.raises(DeviceUnavailable):
        rig.modem.open()
    with pytest.raises(DeviceUnavailable):
        rig.modem.send(NUMBER, CODE, 5)
    rig.plug(True)
    assert eventually(rig.ready)
    rig.modem.send(NUMBER, CODE, 10)
    assert rig.taken() == [(NUMBER, CODE)]


def test_what_is_wrong_is_said_and_nothing_is_sent(rig: ModemRig) -> None:
    for fault, sim, state, words in (
        ("no_sim", Sim.MISSING, State.FAULT, "no SIM card"),
        ("pin", Sim.PIN, State.FAULT, "wants its PIN"),
        ("no_network", Sim.READY, State.DEGRADED, "No network"),
    ):
        rig.fault(fault)
        assert eventually(rig.opens)
        status = rig.modem.status()
        assert not status.ready
        assert status.sim is sim
        assert rig.modem.health().state is state
        assert words in rig.modem.health().reason


def test_opening_and_closing_twice_is_harmless(rig: ModemRig) -> None:
    rig.modem.open()
    rig.modem.close()
    rig.modem.close()
    assert rig.modem.health().state is State.ABSENT
    assert not rig.modem.status().ready
    rig.modem.open()
    rig.modem.send(NUMBER, CODE, 10)
    assert rig.taken() == [(NUMBER, CODE)]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sim://modem?fault=rust", "one of"),
        ("sim://phone", "must look like"),
        ("at://ttyUSB2", "must look like"),
        ("at:///dev/ttyUSB2?speed=9", "Unknown option 'speed'"),
        ("modemmanager://stick", "must look like"),
        ("modemmanager://123?baud=1", "Unknown option 'baud'"),
        ("gammu://x", "Unknown modem scheme"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(url: str, words: str) -> None:
    with pytest.raises(BadDeviceUrl, match=words):
        modem_for(url)


def test_a_simulated_modem_is_worked_through_files(tmp_path: Path) -> None:
    control, sent = tmp_path / "control", tmp_path / "sent"
    modem = open_modem(f"sim://modem?control={control}&sent={sent}")
    modem.send(NUMBER, "Grüße", 1)
    assert sent.read_text() == '{"number": "+491701234567", "text": "Grüße"}\n'
    control.write_text("no_network")
    assert not modem.status().ready
    control.write_text("")
    assert modem.status().ready
    modem.close()


def test_an_address_can_script_when_a_modem_breaks() -> None:
    modem = open_modem("sim://modem?fault=unsure&after=1")
    assert isinstance(modem, SimModem)
    modem.send(NUMBER, CODE, 1)
    with pytest.raises(PerhapsSent):
        modem.send(NUMBER, CODE, 1)
    modem.close()
