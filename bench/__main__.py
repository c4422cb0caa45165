"""Run every benchmark, print the table and write it to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance import logs
from bench import browser, cloud, disk, door, edge, load, memory, orders, pictures, portal, servers, venue, verify
from bench.policies import report as policies

LONG_RUNS = "## Long runs"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
SCANS = 420


@dataclass(frozen=True)
class Row:
    """One line of the table; ``ratio`` relates ``figure`` to something measured in the same run."""

    what: str
    figure: str
    ratio: str = ""


def main() -> None:
    """Measure for about a minute and a half, or ``--seconds`` per step."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="length of each timed step")
    parser.add_argument(
        "part",
        nargs="?",
        choices=["cloud", "door", "edge", "policies", "portal", "browser", "verify"],
        help="measure and print only this part",
    )
    parser.add_argument("--no-write", action="store_true", help="print only")
    given = parser.parse_args()
    logs.configure("warning", "text", "bench")
    if given.part == "policies":
        print(policies.run(_say, write=not given.no_write))
        return
    rows = _PARTS.get(given.part, measure)(given.seconds, _say)
    page = render(rows, _kept(PAGE))
    print(page)
    if not given.no_write and not given.part:
        PAGE.write_text(page, encoding="utf-8")


def _kept(page: Path) -> str:
    """Return what other commands measured: the part of the page that this one leaves alone."""
    return LONG_RUNS + page.read_text(encoding="utf-8").partition(LONG_RUNS)[2] if page.exists() else ""


def _say(text: str) -> None:
    print(f"... {text}", flush=True)


def measure(seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Return all rows; the raw disk is measured before and after, and its mean is what ratios relate to."""
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        folder = Path(name)
        progress("durable commits of this disk")
        before = disk.durable_commits_per_s(_new(folder, "raw1"), seconds)
        progress("booking over HTTP")
        timed = _over_http(folder, seconds)
        progress("flushes per order")
        flushes = {n: orders.flushes_per_order(_new(folder, f"flush{n}"), n, 400) for n in (1, 50)}
        edge_rows = at_the_edge(seconds, progress)
        cloud_rows = in_the_cloud(seconds, progress)
        verify_rows = at_the_centre(seconds, progress)
        progress("the door")
        at_door = _at_door(folder, seconds)
        portal_rows = [*at_the_portal(seconds, progress), *in_a_browser(seconds, progress)]
        raw = (before + disk.durable_commits_per_s(_new(folder, "raw2"), seconds)) / 2
        progress("memory of a demo")
        sizes = memory.per_process_mb()
    return [
        Row("durable SQLite commits/s of this disk, one client", f"{raw:.0f}", "1"),
        *(_orders_row(n, timed[f"orders {n}"], raw) for n in (1, 50)),
        *(
            Row(f"flushes per confirmed order, {n} clients", f"{each:.2f}", "2 where no flush is shared")
            for n, each in flushes.items()
        ),
        *edge_rows,
        *cloud_rows,
        *verify_rows,
        *(_pages_row(what, timed[what], raw) for what in ("listing", "availability")),
        *portal_rows,
        *at_door,
        *(Row(f"memory of `{name}`", f"{size:.0f} MB") for name, size in sorted(sizes.items())),
    ]


def at_the_edge(seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Return the rows about shared flushes and the sell-out."""
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        folder = Path(name)
        progress("bookings with every flush slowed to that of a card")
        card = edge.on_a_card(lambda each: _new(folder, each), seconds)
        progress(f"{edge.TICKETS} tickets, {edge.CROWD} clients")
        sold = edge.sell_out(_new(folder, "sell-out"))
    slow = f"every flush slowed by {1000 * edge.CARD_FLUSH_S:.0f} ms, {edge.CLIENTS} clients in the service"
    crowd = f"sell-out of {edge.TICKETS} tickets by {edge.CROWD} clients over HTTP"
    unserved = sum(number for status, number in sold.statuses.items() if status >= 500 or not status)
    waits = sorted(sold.waits_s)
    return [
        Row(f"{slow}: orders/s sharing flushes", f"{card.shared:.0f}/s", f"{card.flushes:.2f} flushes per order"),
        Row(f"{slow}: one flush per order", f"{card.one_per_order:.0f}/s", f"{card.shared / card.one_per_order:.2f}x"),
        Row(f"{slow}: one flush per step", f"{card.one_per_step:.0f}/s", f"{card.shared / card.one_per_step:.2f}x"),
        Row(
            crowd,
            f"{sold.seconds:.1f} s, {len(sold.tickets)} tickets, {sold.oversold} oversold, {unserved} without an answer or 5xx",
            f"{sold.statuses[201]} x 201, {sold.statuses[409]} x 409",
        ),
        Row(f"{crowd}: one request, p50 / p99", _ms(sold.requests), f"{sold.requests.per_s:.0f} requests/s"),
        Row(
            f"{crowd}: a whole order, p50 / slowest",
            f"{waits[len(waits) // 2]:.1f} / {waits[-1]:.1f} s",
            f"portal {sold.memory_mb:.0f} MB",
        ),
    ]


def in_the_cloud(_seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Return the rows about reconciling; one line that says so where a program to measure with is missing."""
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        try:
            return [Row(*each) for each in cloud.rows(cloud.measure(Path(name), progress))]
        except servers.ProgramMissing as missing:
            return [Row("reconciling", "not measured", str(missing))]


def at_the_centre(_seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Return the rows about verifying pre-enrolments."""
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        try:
            return [Row(*each) for each in verify.rows(verify.measure(Path(name), progress))]
        except servers.ProgramMissing as missing:
            return [Row("verifying pre-enrolments", "not measured", str(missing))]


def at_the_portal(seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Return the rows about shared pages behind nginx."""
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        progress("shared pages behind nginx")
        try:
            return [Row(*each) for each in portal.rows(*portal.measure(Path(name), seconds))]
        except servers.ProgramMissing as missing:
            return [Row("shared pages behind nginx", "not measured", str(missing))]


def in_a_browser(seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Return the rows about what a guest waits for: first views and the tap that holds a ticket."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        folder = Path(name)
        try:
            rows += [Row(*each) for each in browser.views(browser.visits(_new(folder, "example"), progress))]
        except servers.ProgramMissing as missing:
            rows.append(Row("first views in a browser", "not measured", str(missing)))
        progress("taps on a quarter of a core")
        try:
            rows.append(Row(*browser.taps(browser.holds(_new(folder, "quarter"), 2 * seconds))))
        except servers.ProgramMissing as missing:
            rows.append(Row("a tap that holds a ticket, on a quarter of a core", "not measured", str(missing)))
    return rows


def _over_http(folder: Path, seconds: float) -> dict[str, load.Outcome]:
    port = venue.free_port()
    data = _new(folder, "portal")
    venue.open_box(data, port).database.close()
    with venue.portal(data, port):
        found = {f"orders {n}": orders.over_http(port, n, seconds) for n in (1, 50)}
        found["listing"] = load.run(10, seconds, port, lambda client: client("GET", "/")[0] == 200)
        found["availability"] = load.run(
            10, seconds, port, lambda client: client("GET", "/api/v1/availability")[0] == 200
        )
        return found


def at_the_door(seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Return the rows about scanning and printing."""
    with tempfile.TemporaryDirectory(prefix="marquee-bench-") as name:
        progress("the door")
        return _at_door(Path(name), seconds)


def _at_door(folder: Path, seconds: float) -> list[Row]:
    raw = disk.durable_commits_per_s(_new(folder, "raw at the door"), seconds)
    box = venue.open_box(_new(folder, "door"), 1)
    verdicts = door.verdicts(box, door.codes(box, SCANS))
    frames = pictures.frames()
    desk = _new(folder, "desk")
    box = venue.open_box(desk, 1)
    tickets = door.codes(box, SCANS)
    with disk.commits_meanwhile(_new(folder, "raw meanwhile"), door.SCANS_PER_S) as commits:
        seen = door.through_the_desk(box, desk, tickets)
    commit_ms = commits.percentile_ms(0.99)
    pace = f"{door.SCANS_PER_S} scans/s over {door.LANES} lanes"
    return [
        Row(
            "code -> committed verdict, in the service, p50 / p99",
            f"{_ms(verdicts)}, {verdicts.per_s:.0f}/s",
            f"{verdicts.per_s / raw:.2f} of commits/s, {verdicts.errors} errors of {SCANS}",
        ),
        Row(
            "byte on the scanner's line -> committed verdict, p50 / p99",
            _ms(seen.verdict),
            f"{pace}, {seen.verdict.errors} missing; 20 ms + 3 x p99 of a commit meanwhile is {20 + 3 * commit_ms:.0f} ms",
        ),
        Row(
            "byte on the scanner's line -> first byte at the printer, p50 / p99",
            _ms(seen.first_byte),
            f"{seen.first_byte.errors} missing; 60 ms + 3 x p99 of a commit meanwhile is {60 + 3 * commit_ms:.0f} ms",
        ),
        Row("memory of the desk meanwhile", f"{seen.memory_mb:.0f} MB", "proportional set size"),
        Row(
            "QR code in a camera frame of 1920 x 1080, p50 / p99", _ms(frames), f"{frames.errors} of 60 frames not read"
        ),
    ]


_PARTS = {
    "edge": at_the_edge,
    "cloud": in_the_cloud,
    "door": at_the_door,
    "portal": at_the_portal,
    "browser": in_a_browser,
    "verify": at_the_centre,
}


def _orders_row(clients: int, outcome: load.Outcome, raw: float) -> Row:
    figure = f"{outcome.per_s:.0f}/s, p99 {outcome.percentile_ms(0.99):.0f} ms, {outcome.errors} errors"
    return Row(
        f"orders (hold + confirm) over HTTP, {clients} clients", figure, f"{outcome.per_s / raw:.3f} of commits/s"
    )


def _pages_row(what: str, outcome: load.Outcome, raw: float) -> Row:
    figure = f"{outcome.per_s:.0f}/s, p99 {outcome.percentile_ms(0.99):.0f} ms, {outcome.errors} errors"
    return Row(f"{what} requests, 10 clients, no cache in front", figure, f"{outcome.per_s / raw:.2f} of commits/s")


def _ms(outcome: load.Outcome) -> str:
    return f"{outcome.percentile_ms(0.5):.1f} / {outcome.percentile_ms(0.99):.1f} ms"


def _new(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(mode=0o700)
    return path


def render(rows: list[Row], kept: str) -> str:
    """Return the page: a table of the rows, and what is ``kept`` of other commands' figures."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench` (`make bench ARGS=edge`, `ARGS=cloud`, `ARGS=verify`, `ARGS=portal`, `ARGS=browser` and `ARGS=door` print a part); every ratio is to something measured in the same",
        "run. The clients run on the same machine as what they load, and share its cores. How much of what could be sold is sold, against",
        "other ways of sharing stock, is measured by `make bench ARGS=policies`: [policies.md](policies.md).",
        "",
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.",
        "",
        "| what | figure | in relation |",
        "|---|---|---|",
        *(f"| {row.what} | {row.figure} | {row.ratio} |" for row in rows),
        "",
    ]
    return "\n".join(lines) + (f"\n{kept}" if kept else "")


if __name__ == "__main__":
    main()
