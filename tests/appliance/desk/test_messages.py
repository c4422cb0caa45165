"""The desk sends what guests asked for, once; whatever the modem does, no message is repeated that may have arrived."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from appliance.desk.messages import IDLE_S, MessagePump
from appliance.desk.process import Addresses, Desk
from appliance.services import booking, sms
from appliance.services.booking import Item
from drivers.modem.api import Sent
from drivers.modem.pty import PtyModem
from drivers.modem.sim import SimModem
from drivers.modem.simulator import Fault
from tests.drivers.patience import eventually
from tests.drivers.pdu_oracle import joined
from tests.support.box import CHILD, ROOM, TestBox, guest, make_box

NUMBER = "+491701234567"


def ask(box: TestBox, who: int = 1) -> None:
    def work(unit):
        hold = booking.place_hold(unit, guest(f"phone-{who}"), [Item(CHILD, 1)])
        order = booking.confirm(unit, hold.id)
        sms.ask(unit, order.id, f"{NUMBER}{who}", f"Code {who}")

    box.run(work)


def states(box: TestBox) -> list[str]:
    return [each.state for each in sorted(box.look(sms.recent), key=lambda each: each.id)]


@pytest.fixture
def modem() -> SimModem:
    return SimModem()


@pytest.fixture
def pump(box: TestBox, modem: SimModem) -> MessagePump:
    return MessagePump(box, modem, per_hour=30, send_s=0.2)


def test_messages_go_out_in_order_and_once(box: TestBox, modem: SimModem, pump: MessagePump) -> None:
    ask(box, 1)
    ask(box, 2)
    assert [pump.step(), pump.step(), pump.step()] == [0.0, 0.0, IDLE_S]
    assert list(modem.messages) == [(f"{NUMBER}1", "Code 1"), (f"{NUMBER}2", "Code 2")]
    assert states(box) == ["sent", "sent"]


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("unsure", "ambiguous"),
        ("unanswered", "ambiguous"),
        ("lost", "ambiguous"),
        ("refused", "queued"),
        ("no_prompt", "queued"),
        ("unplug_midway", "queued"),
        ("bad_number", "failed"),
    ],
)
def test_every_fault_ends_in_the_state_that_is_certain(
    box: TestBox, modem: SimModem, pump: MessagePump, fault: str, state: str
) -> None:
    ask(box)
    modem.set_fault(fault)
    pump.step()
    assert states(box) == [state]
    taken = len(modem.messages)
    modem.set_fault(None)
    pump.step()
    # Neither what is in doubt nor what still waits for its next attempt goes out now.
    assert len(modem.messages) == taken
    assert states(box) == [state]


@pytest.mark.parametrize("fault", ["unplug", "silent", "no_sim", "pin", "no_network"])
def test_a_modem_that_cannot_send_is_given_nothing(
    box: TestBox, modem: SimModem, pump: MessagePump, fault: str
) -> None:
    ask(box)
    modem.set_fault(fault)
    assert pump.step() > 0
    assert states(box) == ["queued"]
    modem.set_fault(None)
    pump.step()
    assert states(box) == ["sent"]


def test_an_error_of_ours_in_the_middle_leaves_it_open(
    box: TestBox, modem: SimModem, pump: MessagePump, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(box)

    def fail(*_given: object) -> Sent:
        raise ValueError("nobody foresaw this")

    monkeypatch.setattr(modem, "send", fail)
    pump.step()
    assert states(box) == ["ambiguous"]


def test_an_outcome_that_a_full_disk_refused_is_told_before_the_next_message(
    box: TestBox, modem: SimModem, pump: MessagePump, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(box, 1)
    ask(box, 2)
    finish = sms.finish

    def full(*_given: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(sms, "finish", full)
    with pytest.raises(OSError, match="No space"):
        pump.step()
    with pytest.raises(OSError, match="No space"):
        pump.step()
    assert len(modem.messages) == 1
    monkeypatch.setattr(sms, "finish", finish)
    pump.step()
    assert states(box) == ["sent", "sent"]
    assert len(modem.messages) == 2


def test_a_woken_pump_sends_at_once_and_ends_when_told(box: TestBox, modem: SimModem, pump: MessagePump) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=pump.run, args=(stop,), daemon=True)
    thread.start()
    ask(box)
    pump.wake()
    assert eventually(lambda: states(box) == ["sent"])
    stop.set()
    pump.wake()
    thread.join(5)
    assert not thread.is_alive()
    assert len(modem.messages) == 1


def test_through_a_storm_of_faults_nobody_is_told_twice(tmp_path: Path) -> None:
    """Every message ends somewhere, those called sent arrived once, those called not sent never."""
    box = make_box(tmp_path, grants={ROOM: 40})
    chance = random.Random(1)
    modem = SimModem()
    pump = MessagePump(box, modem, per_hour=1000, send_s=0.01)
    for step in range(400):
        if step % 10 == 0 and step < 300:
            ask(box, step // 10)
        modem.set_fault(chance.choice([None, None, None, *Fault]))
        if chance.random() < 0.4:
            # The desk is killed between taking a message and hearing what became of it, and starts again.
            claimed = box.run(lambda unit: sms.claim(unit, 1000))
            if claimed is not None and chance.random() < 0.5:
                modem.messages.append((claimed.number, claimed.text))
            pump = MessagePump(box, modem, per_hour=1000, send_s=0.01)
            box.run(sms.recover)
        pump.step()
        box.turn.advance(chance.choice([1_000, 5_000, 20_000]))
    modem.set_fault(None)
    for _ in range(60):
        box.turn.advance(60_000)
        pump.step()
    taken = Counter(text for _number, text in modem.messages)
    assert set(taken.values()) == {1}
    by_state: dict[str, int] = Counter(states(box))
    assert sum(by_state.values()) == 30
    assert set(by_state) <= {"sent", "failed", "ambiguous"}
    failed = {f"Code {each.id - 1}" for each in box.look(sms.recent) if each.state == "failed"}
    assert not failed & set(taken)
    assert by_state["sent"] <= len(taken) <= by_state["sent"] + by_state["ambiguous"]
    assert min(by_state[state] for state in ("sent", "failed", "ambiguous")) > 0
    box.database.close()


def test_from_the_row_to_the_wire(box: TestBox, tmp_path: Path) -> None:
    """The desk with the AT driver on a serial line; another library reads what came out."""
    device = PtyModem(tmp_path / "modem")
    device.start()
    ask(box)
    desk = Desk(box, Addresses(modem=f"{device.url}?timeout=1", messages_per_hour=30))
    stop = threading.Event()
    thread = threading.Thread(target=desk.run, args=(tmp_path / "desk.sock", stop), daemon=True)
    thread.start()
    assert eventually(lambda: states(box) == ["sent"])
    assert joined(list(device.modem.pdus)) == [(f"{NUMBER}1", "Code 1")]
    assert eventually(lambda: box.look(sms.offered))
    device.unplug()
    assert eventually(lambda: not box.look(sms.offered))
    stop.set()
    desk.wake("desk")
    thread.join(10)
    device.stop()
    assert not thread.is_alive()
