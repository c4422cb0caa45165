"""The door: from a code to its committed verdict, and from a scanner's byte to a row and to the printer."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from appliance import bootstrap
from appliance.desk.process import Addresses, Desk, LaneAddress
from appliance.domain.client import Client
from appliance.services import booking, door
from appliance.services.booking import Item
from appliance.services.box import Box
from bench.load import Outcome
from bench.venue import TYPE
from drivers.printer.server import SimulatedPrinterServer
from drivers.scanner.pty import PtyScanner

_PER_ORDER = 50


def codes(box: Box, count: int) -> list[str]:
    """Sell ``count`` tickets and return their codes."""
    found: list[str] = []
    staff = Client("staff:bench", "desk", kind="staff")
    while len(found) < count:
        hold = box.run(lambda unit: booking.place_hold(unit, staff, (Item(TYPE, _PER_ORDER),)))
        order = box.run(lambda unit, held=hold.id: booking.confirm(unit, held))  # type: ignore[misc]
        found += [ticket.code for ticket in order.tickets]
    return found[:count]


def verdicts(box: Box, tickets: list[str]) -> Outcome:
    """Check every ticket in through the service, one after the other."""
    outcome, began = Outcome(), time.perf_counter()
    for code in tickets:
        start = time.perf_counter()
        seen = box.run(lambda unit, code=code: door.check_in(unit, code, "bench", "bench"))  # type: ignore[misc]
        if seen.verdict == "admitted":
            outcome.durations.append(time.perf_counter() - start)
        else:
            outcome.errors += 1
    outcome.seconds = time.perf_counter() - began
    return outcome


def through_the_desk(box: Box, folder: Path, tickets: list[str]) -> tuple[Outcome, Outcome]:
    """Scan tickets on a pseudo-terminal; return (byte -> committed verdict, byte -> stub taken by the printer)."""
    verdict, paper, stop = Outcome(), Outcome(), threading.Event()
    with SimulatedPrinterServer() as printer:
        scanner = PtyScanner()
        addresses = Addresses(printer=printer.url, lanes=(LaneAddress("bench", scanner.url),))
        desk = threading.Thread(target=Desk(box, addresses).run, args=(bootstrap.socket_path(folder, "desk"), stop))
        desk.start()
        time.sleep(1)
        for code in tickets:
            seen, taken = _scan(box, scanner, printer, code)
            verdict.durations.append(seen)
            paper.durations.append(taken)
        stop.set()
        desk.join(10)
        scanner.close()
    return verdict, paper


def _scan(box: Box, scanner: PtyScanner, printer: SimulatedPrinterServer, code: str) -> tuple[float, float]:
    before = printer.receipts()[-1:]
    start = time.perf_counter()
    scanner.scan(code)
    while not box.look(lambda unit: any(each.code == code for each in door.recent(unit, 1))):
        _patience(start)
    seen = time.perf_counter() - start
    while printer.receipts()[-1:] == before:
        _patience(start)
    return seen, time.perf_counter() - start


def _patience(start: float) -> None:
    if time.perf_counter() - start > 10:
        msg = "the desk did not answer within 10 s"
        raise RuntimeError(msg)
    time.sleep(0.001)
