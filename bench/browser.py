"""What a guest's browser waits for: first views by Lighthouse with its slow network and slow phone, and the tap that holds a ticket.

Pages come from the portal itself with the demo's catalogue, at an address with scripts (the heavier of the tiers). Lighthouse is
installed on demand, exactly as ``lighthouse/package-lock.json`` says, outside the checkout.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import random
import secrets
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from msgspec.structs import replace

from appliance.bootstrap.device import device_box
from appliance.bootstrap.process import wall_ms
from appliance.catalogue import read_catalogue
from appliance.demo.shift import AHEAD_MS, shifted
from appliance.demo.town import EXAMPLE
from appliance.domain.pins import NOBODY
from appliance.services import sync
from appliance.services.box import Unit
from appliance.settings import read_settings
from bench import quarter, venue
from bench.load import Outcome
from bench.servers import ProgramMissing, cpu_s
from mqtt_bridge.protocol.messages import DeviceState, Granted

LOCK = Path(__file__).parent / "lighthouse"
PAGES = {"/": "listing", "/events/paper-moons": "an event's page"}
RUNS = 5
CLIENTS, HOLDS_PER_S, CORES = 50, 20, 0.25
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
_WARM_UP = 40


@dataclass(frozen=True)
class Visit:
    """Medians of the runs for one page: ms, ms, shift, bytes and requests over the network, scores of 100."""

    page: str
    lcp_ms: float
    tbt_ms: float
    shift: float
    size: float
    requests: float
    performance: float
    accessibility: float


def views(visits: list[Visit]) -> list[tuple[str, str, str]]:
    """Return what Lighthouse measured as lines of the page."""
    return [
        (
            f"first view of {each.page} with scripts, Lighthouse 12.8.2, its simulated slow 4G and slow phone, median of {RUNS}: LCP, TBT",
            f"{each.lcp_ms / 1000:.2f} s, {each.tbt_ms:.0f} ms",
            f"CLS {each.shift:.3f}, {each.size / 1000:.0f} kB in {each.requests:.0f} requests; scores {each.performance:.0f}, accessibility {each.accessibility:.0f}",
        )
        for each in visits
    ]


@dataclass(frozen=True)
class Held:
    """What phones waited with a part of a core and with all there is, and the processor time of one tap in ms."""

    limited: Outcome
    free: Outcome
    cpu_ms: float


def taps(held: Held) -> tuple[str, str, str]:
    """Return what the phones waited as a line of the page."""
    total = len(held.limited.durations) + held.limited.errors
    beside = f"{held.limited.errors} errors of {total}; with all cores {_waits(held.free)}"
    return (
        f"a tap that holds a ticket, {HOLDS_PER_S}/s of {CLIENTS} phones in an open loop, portal limited to {CORES} of a core: p50 / p95 / p99",
        _waits(held.limited),
        f"{beside}; {held.cpu_ms:.1f} ms of processor time each",
    )


def _waits(outcome: Outcome) -> str:
    return " / ".join(f"{outcome.percentile_ms(share):.0f}" for share in (0.5, 0.95, 0.99)) + " ms"


def visits(folder: Path, progress: Callable[[str], None]) -> list[Visit]:
    """Return what Lighthouse says of each page."""
    command = _lighthouse()
    port = venue.free_port()
    _example(folder, port)
    # This machine's own address counts as secure, so scripts run as they do over HTTPS.
    secure = {"MARQUEE_PORTAL_SECURE_URL": f"http://127.0.0.1:{port}", "MARQUEE_DEVICE_VENUE": "lantern-hall"}
    found = []
    with venue.portal(folder, port, secure):
        for path, words in PAGES.items():
            progress(f"Lighthouse, {words}")
            found.append(_median(words, [_look(command, f"http://127.0.0.1:{port}{path}") for _ in range(RUNS)]))
    return found


def _lighthouse() -> list[str]:
    """Return the command, installed if it is not there yet."""
    npm, node, chromium = (shutil.which(each) for each in ("npm", "node", "chromium"))
    if npm is None or node is None or chromium is None:
        raise ProgramMissing("Lighthouse needs node, npm and chromium: apt-get install nodejs npm chromium")
    digest = hashlib.sha256((LOCK / "package-lock.json").read_bytes()).hexdigest()[:12]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marquee" / f"lighthouse-{digest}"
    entry = home / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not entry.exists():
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCK / name, home)
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        done = subprocess.run([npm, "ci", *quiet], cwd=home, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProgramMissing(f"Lighthouse cannot be installed: {done.stderr.strip()[-200:]}")
    return [node, str(entry), f"--chrome-path={chromium}"]


def _look(command: list[str], url: str) -> dict[str, float]:
    """Return the figures of one run; a browser that did not start is started once more."""
    options = ["--output=json", "--quiet", "--only-categories=performance,accessibility", f"--chrome-flags={_FLAGS}"]
    environment = {**os.environ, "CHROME_PATH": command[-1].partition("=")[2]}
    words = [*command[:-1], url, *options]
    done = _run(words, environment)
    if done.returncode:
        done = _run(words, environment)
    if done.returncode:
        raise RuntimeError(f"Lighthouse failed: {done.stderr.decode(errors='replace').strip()[-300:]}")
    report = json.loads(done.stdout)
    if report.get("runtimeError"):
        raise RuntimeError(report["runtimeError"]["message"])
    audits = report["audits"]
    asked = [
        each
        for each in audits["network-requests"]["details"]["items"]
        if not each["url"].startswith(("data:", "blob:"))
    ]
    return {
        "lcp_ms": audits["largest-contentful-paint"]["numericValue"],
        "tbt_ms": audits["total-blocking-time"]["numericValue"],
        "shift": audits["cumulative-layout-shift"]["numericValue"],
        "size": sum(each["transferSize"] for each in asked),
        "requests": len(asked),
        **{name: 100 * report["categories"][name]["score"] for name in ("performance", "accessibility")},
    }


def _run(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, capture_output=True, env=environment, check=False, timeout=300)


def _median(page: str, runs: list[dict[str, float]]) -> Visit:
    return Visit(page, **{name: statistics.median(each[name] for each in runs) for name in runs[0]})


def _example(folder: Path, port: int) -> None:
    """Fill a box with the demo's catalogue, its first evening tonight."""
    environment = venue.variables(folder, port) | {"MARQUEE_DEVICE_VENUE": "lantern-hall"}
    box = device_box(read_settings(None, environment))
    now_ms = wall_ms()
    read = read_catalogue(EXAMPLE, lambda _badge, _pin: NOBODY)
    whole = replace(shifted(read.catalogue, now_ms + AHEAD_MS), version=1)

    def fill(unit: Unit) -> None:
        sync.apply_catalogue(unit, whole)
        granted = tuple(Granted(each, 1, 40, 0, 0, 40) for each in whole.quota)
        state = DeviceState("bench-1", unit.inc, 1, 0, granted, door=True, stop=False, as_of_ms=now_ms)
        sync.apply_state(unit, state)

    box.run(fill)
    for each in read.assets:
        box.run(partial(sync.apply_asset, sha256=each.sha256, media_type=each.media_type, body=each.body))
    box.database.close()


def holds(folder: Path, seconds: float) -> Held:
    """Return how long taps took, from the moment they were due, with the portal limited to a part of a core and without."""
    port = venue.free_port()
    venue.open_box(folder, port).database.close()
    with venue.portal(folder, port) as process:
        _taps(port, _WARM_UP / HOLDS_PER_S)
        free = _taps(port, seconds)
        with quarter.limited(quarter.family(process.pid), CORES):
            before = cpu_s(process.pid)
            limited = _taps(port, seconds)
            cpu_ms = 1000 * (cpu_s(process.pid) - before) / max(1, len(limited.durations))
    return Held(limited, free, cpu_ms)


def _taps(port: int, seconds: float) -> Outcome:
    """Let 50 phones tap at random moments, 20 a second in all, whatever became of the taps before."""
    chance = random.Random(7)
    due, moments = 0.0, []
    while due < seconds:
        due += chance.expovariate(HOLDS_PER_S)
        moments.append(due)
    outcome, lock, ready = Outcome(), threading.Lock(), threading.Barrier(CLIENTS + 1)
    began = 0.0

    def phone(mine: list[float]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        tap = functools.partial(_tap, connection, _name(connection))
        ready.wait()
        ready.wait()
        for moment in mine:
            time.sleep(max(0.0, began + moment - time.perf_counter()))
            held = tap()
            took = time.perf_counter() - began - moment
            with lock:
                outcome.durations.append(took) if held else None
                outcome.errors += not held

    threads = [threading.Thread(target=phone, args=(moments[each::CLIENTS],)) for each in range(CLIENTS)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    ready.wait()
    for thread in threads:
        thread.join()
    outcome.seconds = time.perf_counter() - began
    return outcome


def _name(connection: http.client.HTTPConnection) -> str:
    """Return what the portal calls this phone from now on, as DHCP leases do on the hotspot."""
    connection.request("GET", "/api/v1/events")
    answer = connection.getresponse()
    answer.read()
    return answer.getheader("Client-Token") or ""


def _tap(connection: http.client.HTTPConnection, name: str) -> bool:
    """Send the form of an event's page as a browser does; True if it led to a hold."""
    form = urlencode({"key": secrets.token_hex(16), "event": "bench", f"q.{venue.TYPE}": "1"})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Client-Token": name}
    connection.request("POST", "/holds", form, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status == 303 and "/holds/" in (answer.getheader("Location") or "")
