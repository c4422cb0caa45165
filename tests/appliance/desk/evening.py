"""An evening at a door of two lanes whose devices break all the time, from a seed.

Visitors hold their tickets up until the door has said something, as people do. One thread breaks and mends one device after the
other. What must hold at the end is in ``Evening.wrongs``.
"""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from appliance.demo.devices import DemoLamp, DemoPrinter, DemoScanner, Simulated, camera, modem
from appliance.desk.process import Addresses, Desk, LaneAddress
from appliance.services import hardware, printing
from appliance.services.staff_views import PrintJob
from appliance.store import jobs
from drivers.errors import DeviceError
from drivers.lamp.api import Button
from mqtt_bridge.protocol.ids import shown
from tests.support.box import BADGE, TestBox

BLOCKED_S = 2.0
BACK_S = 2.0
LANES = ("left", "right")
SCANNERS = ("scanner", "scanner_2")
LAMPS = ("lamp", "lamp_2")
_LOOK_S = 0.01
_IMPATIENT_S = 0.4
_DRAINED_S = 60.0


@dataclass
class Evening:
    """A running desk with every device simulated; made by ``evening``."""

    box: TestBox
    devices: dict[str, Simulated]
    seed: int
    waits_s: list[float] = field(default_factory=list)
    back_s: dict[str, float] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    _broken_at: dict[str, float] = field(default_factory=dict)
    _mended_at: dict[str, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self, tickets: list[str], breaks: list[tuple[str, str]], each_s: float, pace_s: float) -> None:
        """Let everybody pass, one every ``pace_s`` in each lane, while the devices break in this order, each for ``each_s``."""
        chance, lanes = random.Random(self.seed), [queue.SimpleQueue[str]() for _ in LANES]
        for number, code in enumerate(tickets):
            lanes[number % len(LANES)].put(code)
        people = [
            threading.Thread(
                target=self._pass, args=(lane, lanes[lane], pace_s, random.Random(chance.random())), daemon=True
            )
            for lane in range(len(LANES))
        ]
        for thread in people:
            thread.start()
        self._break_all(breaks, each_s, people)
        for thread in people:
            thread.join(120)
        self._over.set()
        self._let_the_paper_out()

    def _break_all(self, breaks: list[tuple[str, str]], each_s: float, people: list[threading.Thread]) -> None:
        for name, fault in breaks:
            device = self.devices[name]
            self._broken_at[name] = time.monotonic()
            device.set_fault(fault)
            time.sleep(each_s)
            device.set_fault(None)
            self._mended_at[name] = time.monotonic()
            self._await_recovery(name, fault)
        if not any(thread.is_alive() for thread in people):
            self.wrongs.append("the crowd was over before the faults")

    def _await_recovery(self, name: str, fault: str) -> None:
        mended = time.monotonic()
        while self._state(name) not in {"ready", "degraded"}:
            if time.monotonic() - mended > 10 * BACK_S:
                self.wrongs.append(f"{name} did not come back after {fault}: {self._state(name)}")
                return
            time.sleep(_LOOK_S)
        if fault == "unplug":
            self.back_s[f"{name} {fault}"] = time.monotonic() - mended

    def _state(self, name: str) -> str:
        return next((row.state for row in self.box.look(hardware.seen) if row.name == name), "unknown")

    def _pass(self, lane: int, line: queue.SimpleQueue[str], pace_s: float, chance: random.Random) -> None:
        for number in itertools.count():
            try:
                code = line.get_nowait()
            except queue.Empty:
                return
            time.sleep(2 * pace_s * chance.random())
            self._hold_up(lane, code)
            if number % 8 == 7:
                # Somebody at the door wants that stub once more.
                self._press(lane)
            if chance.random() < 0.05:
                # Somebody tries the other door with a picture of the same ticket.
                self._hold_up(1 - lane, code)

    def _press(self, lane: int) -> None:
        time.sleep(2 * _IMPATIENT_S)
        lamp = self.devices[LAMPS[lane]]
        assert isinstance(lamp, DemoLamp)
        lamp.press(Button.PRINT)

    def _hold_up(self, lane: int, code: str) -> None:
        scanner = self.devices[SCANNERS[lane]]
        assert isinstance(scanner, DemoScanner)
        while not self._over.is_set():
            began = time.monotonic()
            try:
                scanner.scan(code)
            except DeviceError:
                time.sleep(_IMPATIENT_S / 4)
                continue
            if self._said_something(lane, code, began):
                if self._was_well(SCANNERS[lane], began):
                    self.waits_s.append(time.monotonic() - began)
                return
            if self._was_well(SCANNERS[lane], began) and time.monotonic() - began > BLOCKED_S:
                self.wrongs.append(f"lane {LANES[lane]} said nothing to {code} for {BLOCKED_S} s")

    def _said_something(self, lane: int, code: str, began: float) -> bool:
        while True:
            if self._recorded(lane, code):
                return True
            patience_s = 2 * BLOCKED_S if self._was_well(SCANNERS[lane], began) else _IMPATIENT_S
            if time.monotonic() - began > patience_s:
                return False
            time.sleep(_LOOK_S)

    def _recorded(self, lane: int, code: str) -> bool:
        with self.box.database.read() as db:
            query = "SELECT 1 FROM check_in WHERE code = ? AND lane = ?"
            return db.exec_driver_sql(query, (code, LANES[lane])).first() is not None

    def _was_well(self, name: str, since: float) -> bool:
        """Whether the scanner had no fault since then, nor one that was mended less than ``BACK_S`` before."""
        if self.devices[name].fault is not None:
            return False
        return self._mended_at.get(name, -BACK_S) + BACK_S < since

    # --- afterwards

    def _let_the_paper_out(self) -> None:
        """A person looks after what is in doubt: it is missing, so it is printed again. Then the spool must run empty."""
        end = time.monotonic() + _DRAINED_S
        while time.monotonic() < end:
            found = self.jobs()
            for job in found:
                if job.state == "ambiguous":
                    self.box.run(lambda unit, job=job: printing.resolve(unit, job.id, BADGE, came_out=False))  # type: ignore[misc]
            if all(job.state in {"printed", "sent", "failed"} and not job.waits for job in found):
                return
            time.sleep(0.2)
        self.wrongs.append(f"jobs still wait: {Counter(job.state for job in self.jobs())}")

    def jobs(self) -> list[PrintJob]:
        """Every print job."""
        return self.box.look(lambda unit: [printing.view(row) for row in jobs.recent(unit.db, 10_000)])

    def audit(self, tickets: list[str]) -> None:
        """Look whether everybody came in once, no scan is missing, and no stub is on paper twice without the word REPRINT."""
        with self.box.database.read() as db:
            rows = db.exec_driver_sql("SELECT code, verdict, lane FROM check_in").all()
        admitted = Counter(row.code for row in rows if row.verdict == "admitted")
        self.wrongs += [f"{code} was admitted {n} times" for code, n in admitted.items() if n != 1]
        self.wrongs += [f"{code} was never admitted" for code in set(tickets) - set(admitted)]
        self._audit_paper(tickets)

    def _audit_paper(self, tickets: list[str]) -> None:
        papers = [receipt for name in ("printer", "printer_2") for receipt in self._receipts(name)]
        plain = Counter[str]()
        for text in papers:
            if "REPRINT" not in text:
                plain.update(code for code in tickets if shown(code) in text)
        self.wrongs += [f"{code} is on {n} stubs without the word REPRINT" for code, n in plain.items() if n > 1]
        on_paper = " ".join(papers)
        again = sum(job.reprint_of is not None for job in self.jobs())
        print(f"{len(plain)} stubs on paper, {again} printed again")
        if not again:
            self.wrongs.append("nothing was printed again: the audit of reprints saw nothing")
        if len(plain) < len(tickets) // 2:
            self.wrongs.append(f"only {len(plain)} of {len(tickets)} stubs are on paper: the printers were not worked")
        for job in self.jobs():
            code = next((each for each in tickets if each.encode() in job.document), None)
            if code is not None and job.state == "printed" and shown(code) not in on_paper:
                self.wrongs.append(f"the stub of {code} is called printed and is on no paper")

    def _receipts(self, name: str) -> list[str]:
        printer = self.devices[name]
        assert isinstance(printer, DemoPrinter)
        return [receipt.text for receipt in printer.receipts()]


@contextmanager
def evening(box: TestBox, folder: Path, seed: int) -> Iterator[Evening]:
    """A desk of two lanes, two printers, lamps, a camera and a modem, all simulated; stopped at the end, in time."""
    printers = [DemoPrinter(kept=10_000) for _ in range(2)]
    printers[1].name = "printer_2"
    for each in printers:
        each.start()
    scanners = [DemoScanner(name, folder / name) for name in SCANNERS]
    lamps = [DemoLamp(name, folder) for name in LAMPS]
    film, sms = camera(folder), modem(folder)
    lanes = tuple(
        LaneAddress(name, scanner.url, lamp.url) for name, scanner, lamp in zip(LANES, scanners, lamps, strict=True)
    )
    addresses = Addresses(printers[0].url, printers[1].url, lanes, camera=film.url, modem=sms.url, messages_per_hour=30)
    everything: list[Simulated] = [*printers, *scanners, *lamps, film, sms]
    devices = {each.name: each for each in everything}
    stop, desk = threading.Event(), Desk(box, addresses)
    thread = threading.Thread(target=desk.run, args=(folder / "desk.sock", stop), daemon=True)
    thread.start()
    time.sleep(1)
    try:
        yield Evening(box, devices, seed)
    finally:
        stop.set()
        thread.join(10)
        for device in devices.values():
            device.close()
    assert not thread.is_alive(), "the desk did not stop"
