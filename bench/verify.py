"""The load of pre-enrolments on the centre: one reconciler, one verifier, PostgreSQL, a mail server; ten venues that all enrol at once.

Three steps, each timed to the end: the orders arrive and are acknowledged while codes are mailed, the last mail arrives, and the typed codes
turn all of them into tickets. Related to plain orders of one ticket, which the same cloud reconciles right before.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from appliance.demo.mailbox import Mailbox
from bench import cloud, servers
from bench.fleet import ORG, Fleet
from mqtt_bridge.database import Database

VENUES = 10
ORDERS = 500
PATIENCE_S = 300.0
_CODE = re.compile(r"\b(\d{4}) (\d{4})\b")
# What a device is told, and rows that are there only while something is under way, are counted at the end.
_ROWS = ("orders", "ticket", "verification", "verification_word", "mail", "applied", "outbox", "letter")


@dataclass(frozen=True)
class Step:
    """How long a step took, and the processor seconds of reconciler and verifier meanwhile."""

    seconds: float
    reconciler_s: float
    verifier_s: float


@dataclass(frozen=True)
class Figures:
    """``orders`` in each step; ``rows`` and ``messages`` per pre-enrolment; ``wrong`` are those not confirmed or mailed once."""

    orders: int
    plain: Step
    taken: Step
    mailed: Step
    verified: Step
    rows: dict[str, float]
    up: float
    down: float
    wrong: int


def measure(folder: Path, progress: Callable[[str], None], orders: int = ORDERS) -> Figures:
    """Measure all of it on new servers."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(servers.mosquitto(folder))
        server = stack.enter_context(servers.postgresql())
        mailbox = stack.enter_context(Mailbox())
        mailbox.mails = deque()
        database = cloud.found(server.url, VENUES)
        stack.callback(database.close)
        fleet = Fleet(url, VENUES)
        stack.callback(fleet.stop)
        reconciler = stack.enter_context(cloud.reconciler(folder / "reconciler", url, server.url))
        verifier = stack.enter_context(_verifier(folder / "verifier", server.url, mailbox.url))
        fleet.introduce()
        clock = _Clock(reconciler.pid, verifier.pid)
        each = orders // VENUES
        orders = each * VENUES
        progress(f"{orders} plain orders")
        for device in fleet.devices.values():
            device.sell(each, whole=False)
        plain = clock.time(fleet.send)
        before = _counted(database)
        progress(f"{orders} pre-enrolments")
        made = {order: device for device in fleet.devices.values() for order in device.enrol(each)}
        started = clock.now()
        fleet.send()
        taken = clock.since(started)
        _until(lambda: len(mailbox.mails) >= orders)
        mailed = clock.since(started)
        progress("their codes")
        for mail in mailbox.mails:
            order, code = mail.to.partition("@")[0], _CODE.search(mail.text)
            if code is not None:
                made[order].type_code(order, code[1] + code[2])
        started = clock.now()
        fleet.send()
        _until(lambda: _confirmed(database) >= orders)
        verified = clock.since(started)
        time.sleep(3)  # the last letters are numbered at the next look
        after = _counted(database)
        grown = {name: (after[name] - before[name]) / orders for name in _ROWS}
        wrong = abs(_confirmed(database) - orders) + abs(len(mailbox.mails) - orders)
        return Figures(orders, plain, taken, mailed, verified, grown, 2.0, grown["outbox"], wrong)


def rows(figures: Figures) -> list[tuple[str, str, str]]:
    """Return lines of the table: what, figure, in relation."""
    number = figures.orders
    # Not while it only waits for mails: then it looks at its quotas, as it always does.
    work = figures.taken.reconciler_s + figures.verified.reconciler_s
    checks = figures.mailed.verifier_s + figures.verified.verifier_s
    plain_us = 1e6 * figures.plain.reconciler_s / number
    kept = ", ".join(f"{name} {each:.1f}" for name, each in figures.rows.items() if each and name != "outbox")
    return [
        (
            f"{number} pre-enrolments of {VENUES} venues at once: taken by the reconciler while codes are mailed",
            f"{number / figures.taken.seconds:.0f}/s",
            f"{figures.plain.seconds / figures.taken.seconds:.2f} of plain orders of two tickets",
        ),
        (
            "codes mailed, one verifier, one mail under way at a time",
            f"{number / figures.mailed.seconds:.0f}/s",
            "by a mail server on this machine; elsewhere its own time for a mail decides",
        ),
        (
            "typed codes turned into tickets, one verifier",
            f"{number / figures.verified.seconds:.0f}/s, {figures.wrong} wrong",
            f"processor time per pre-enrolment in all: reconciler {1e6 * work / number:.0f} us, verifier {1e6 * checks / number:.0f} us; a plain order {plain_us:.0f} us",
        ),
        (
            "messages per pre-enrolment: from its device, from the centre",
            f"{figures.up:.0f} and 1 when it confirms, {figures.down:.1f} and 1 to a door elsewhere per word",
            f"rows kept: {kept}",
        ),
    ]


class _Clock:
    """Times steps with what the two processes use meanwhile."""

    def __init__(self, reconciler: int, verifier: int) -> None:
        self._pids = (reconciler, verifier)

    def now(self) -> Step:
        reconciler, verifier = self._pids
        return Step(time.monotonic(), servers.cpu_s(reconciler), servers.cpu_s(verifier))

    def since(self, began: Step) -> Step:
        now = self.now()
        return Step(
            now.seconds - began.seconds, now.reconciler_s - began.reconciler_s, now.verifier_s - began.verifier_s
        )

    def time(self, work: Callable[[], object]) -> Step:
        began = self.now()
        work()
        return self.since(began)


@contextlib.contextmanager
def _verifier(data: Path, database: str, smtp: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "MARQUEE_DEVICE_ORG": ORG,
        "MARQUEE_DEVICE_DATA": str(data),
        "MARQUEE_CLOUD_DATABASE": database,
        "MARQUEE_VERIFIER_SMTP": smtp,
        "MARQUEE_VERIFIER_SENDER": "bench@example.org",
        "MARQUEE_VERIFIER_MAILS_PER_HOUR": "100000",
    }
    with servers.marquee("verifier", environment) as process:
        yield process


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise RuntimeError("the centre did not finish in time")
        time.sleep(0.05)


def _confirmed(database: Database) -> int:
    with database.read() as db:
        return int(db.execute(sa.text("SELECT count(*) FROM verification WHERE state = 'verified'")).scalar_one())


def _counted(database: Database) -> dict[str, int]:
    with database.read() as db:
        return {name: int(db.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar_one()) for name in _ROWS}
