"""Two printers, two pumps, and everything that can go wrong between them: counted on paper, job by job."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from appliance.desk.spool import PrintPump
from appliance.domain.printing import NoSale
from appliance.services import printing
from appliance.services.box import Box, Unit
from appliance.services.staff_views import PrintJob
from appliance.store import jobs as rows
from drivers.printer import questions, simulator
from drivers.printer.sim import SimPrinter
from drivers.printer.simulator import Fault, SimulatedPrinter
from tests.support.box import BADGE, TestBox, make_box

T = TypeVar("T")
MOVES = 100
GRACE_S = 0.2
FAULTS = [fault for fault in Fault if fault is not Fault.SLOW]
PRINTERS = (printing.FIRST, printing.SECOND)


class Killed(BaseException):
    """The desk's process ended here."""


class Fate:
    """Decides, by its seed, when the disk fails, the driver has a fault of its own and the desk is killed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.calm = False

    def strike(self, *ways: type[BaseException]) -> None:
        if not self.calm and self.random.random() < 0.05:
            raise self.random.choice(ways)("The storm struck.")


class StruckBox(Box):
    """A box whose disk and process may fail before and after each transaction of the desk."""

    fate: Fate

    def run(self, use_case: Callable[[Unit], T]) -> T:
        def struck(unit: Unit) -> T:
            answer = use_case(unit)
            self.fate.strike(OSError, OSError, Killed)
            return answer

        answer = super().run(struck)
        self.fate.strike(Killed)
        return answer


class StruckPrinter(SimPrinter):
    """A driver that has faults of its own, and dies with the desk, at any point of a job."""

    fate: Fate

    def write(self, data: bytes, deadline_s: float) -> int:
        self.fate.strike(RuntimeError, RuntimeError, Killed)
        taken = super().write(data, deadline_s)
        self.fate.strike(RuntimeError, RuntimeError, Killed)
        return taken

    def confirm(self, deadline_s: float) -> bool:
        said = super().confirm(deadline_s)
        self.fate.strike(RuntimeError, RuntimeError, Killed)
        return said


class Evening:
    """A desk with two printers, what was queued, and the paper that came out."""

    def __init__(self, box: TestBox, seed: int) -> None:
        self.fate = Fate(seed)
        self.random = self.fate.random
        self.box = box
        self.made = 0
        self.looked_after: set[int] = set()
        self.printers = {name: SimulatedPrinter(kept=10_000) for name in PRINTERS}
        self.desk: dict[str, PrintPump] = {}
        self.start()

    def start(self) -> None:
        """Start the desk, after a kill or for the first time."""
        broken = self.box.run(printing.recover)
        plain = {name: getattr(self.box, name) for name in Box.__dataclass_fields__}
        struck = StruckBox(**plain)
        object.__setattr__(struck, "fate", self.fate)
        for name in reversed(PRINTERS):
            printer = StruckPrinter(self.printers[name], timeout_s=0.01)
            printer.fate = self.fate
            pass_on = self.desk[printing.SECOND].wake if name == printing.FIRST else None
            self.desk[name] = PrintPump(struck, printer, name=name, pass_on=pass_on, write_s=0.01, confirm_s=0.01)
            self.desk[name].take_over(broken)

    def step(self, name: str) -> None:
        """Let a pump work, as its loop does."""
        try:
            with contextlib.suppress(Exception):
                self.desk[name].step()
        except Killed:
            self.start()

    def queue(self) -> None:
        """Queue a job that can be told from every other on paper."""
        self.made += 1
        note = f"JOB{self.made:04d}"
        self.box.run(lambda unit: unit.print("no_sale", NoSale("North Hall", "UTC", unit.now.wall_ms, BADGE, note)))

    def break_one(self) -> None:
        """Break a printer now or in the middle of what it gets next."""
        printer, fault = self.printers[self.random.choice(PRINTERS)], self.random.choice(FAULTS)
        if self.random.random() < 0.5:
            printer.set_fault(fault)
        else:
            printer.break_after_bytes(self.random.randint(1, 400), fault)

    def look_after(self, *, every: bool = False) -> None:
        """Staff look at the paper of what is in doubt."""
        for job in self.jobs():
            if job.state == "ambiguous" and (every or self.random.random() < 0.5):
                came_out = bool(self.paper(reprints=job.reprint_of is not None)[self.token(job)])
                self.looked_after.add(job.id)
                self.resolve(job, came_out=came_out)

    def resolve(self, job: PrintJob, *, came_out: bool) -> None:
        """Staff say what they saw."""
        self.box.run(lambda unit: printing.resolve(unit, job.id, BADGE, came_out=came_out))

    def reprint_one(self) -> None:
        """Staff want a copy of something that is over."""
        over = [job for job in self.jobs() if job.state in {"printed", "sent"}]
        if over:
            job = self.random.choice(over)
            self.box.run(lambda unit: printing.reprint(unit, job.id, BADGE))

    def move(self) -> None:
        """Let one thing happen."""
        does: list[Callable[[], object]] = [self.queue, self.queue, self.break_one, self.look_after, self.reprint_one]
        does += [lambda: self.step(self.random.choice(PRINTERS))] * 6
        does += [lambda: self.printers[self.random.choice(PRINTERS)].set_fault(None)] * 2
        self.random.choice(does)()

    def settle(self) -> None:
        """Mend everything and let the rest come out."""
        self.fate.calm = True
        for _ in range(60):
            for printer in self.printers.values():
                printer.set_fault(None)
            for name in PRINTERS:
                self.step(name)
            self.look_after(every=True)
            if not any(job.waits for job in self.jobs()):
                return
            # A printer that owes word takes nothing before its time is over.
            time.sleep(GRACE_S / 20)

    def jobs(self) -> list[PrintJob]:
        """Every job, oldest first."""
        return self.box.look(lambda unit: [printing.view(row) for row in reversed(rows.recent(unit.db, 10_000))])

    def token(self, job: PrintJob) -> str:
        """What tells the paper of a job and its reprints from all other paper."""
        return job.document.partition(b'"note":"')[2][:7].decode()

    def paper(self, *, reprints: bool = False) -> Counter[str]:
        """How many pieces of paper show each token, without REPRINT or with it."""
        found: Counter[str] = Counter()
        for printer in self.printers.values():
            for receipt in printer.receipts():
                if ("REPRINT" in receipt.text) == reprints:
                    found.update({word for word in receipt.text.split() if word.startswith("JOB")})
        return found


@pytest.mark.parametrize("seed", [0, 6, 18])
def test_through_a_storm_nothing_is_printed_twice_without_saying_so_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever breaks and dies: each job is on paper once at most, is called printed only where it is, and ends."""
    monkeypatch.setattr(simulator, "LATE_S", 0.015)
    monkeypatch.setattr(simulator, "RESET_S", 0.02)
    # Still longer than a late printer thinks; a printer that owes word is waited for that long.
    monkeypatch.setattr(questions, "IN_ORDER_GRACE_S", GRACE_S)
    evening = Evening(make_box(tmp_path), seed)
    for _ in range(MOVES):
        evening.move()
    evening.settle()
    jobs, paper, again = evening.jobs(), evening.paper(), evening.paper(reprints=True)
    told = f"seed {seed}: {[(job.id, job.state, job.reason, job.printer) for job in jobs]} {paper} {again}"
    assert max(paper.values()) == 1, told
    originals = [job for job in jobs if job.reprint_of is None]
    assert len(originals) == evening.made, told
    assert all(job.state in {"printed", "sent"} or (job.state == "failed" and not job.waits) for job in jobs), told
    for job in jobs:
        if job.state == "printed":
            assert (again if job.reprint_of else paper)[evening.token(job)], f"job {job.id} of {told}"
        if job.state == "failed":
            assert any(each.reprint_of == job.id for each in jobs), told
