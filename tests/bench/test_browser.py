"""The benchmark of browsers measures what it says: a limit that limits, medians, and a tool pinned to its bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from bench import browser, quarter
from bench.load import Outcome
from bench.servers import cpu_s

BUSY = "while True: pass"


@pytest.mark.system
@pytest.mark.slow
def test_a_process_in_the_group_gets_its_share_of_a_core_and_no_more() -> None:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        with quarter.limited(quarter.family(process.pid), browser.CORES):
            time.sleep(0.2)
            before, began = cpu_s(process.pid), time.perf_counter()
            time.sleep(2)
            share = (cpu_s(process.pid) - before) / (time.perf_counter() - began)
    finally:
        process.kill()
        process.wait()
    assert share <= browser.CORES * 1.2


def test_a_page_is_told_by_the_medians_of_its_runs() -> None:
    runs = [dict.fromkeys(browser.Visit.__annotations__.keys() - {"page"}, float(each)) for each in (900, 100, 500)]
    ((what, figure, beside),) = browser.views([browser._median("listing", runs)])
    assert "listing" in what
    assert figure == "0.50 s, 500 ms"
    assert "500 requests" in beside


def test_a_tap_is_told_with_what_failed_and_beside_what_the_whole_machine_can() -> None:
    limited, free = Outcome([0.01] * 95 + [0.3] * 5, errors=2), Outcome([0.005] * 100)
    _what, figure, beside = browser.taps(browser.Held(limited, free, 3.21))
    assert figure == "10 / 300 / 300 ms"
    assert beside == "2 errors of 102; with all cores 5 / 5 / 5 ms; 3.2 ms of processor time each"


def test_lighthouse_is_locked_to_its_bytes_and_to_no_address() -> None:
    text = (browser.LOCK / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}
    assert packages["node_modules/lighthouse"]["version"] == "12.8.2"
    assert all(each.get("integrity", "").startswith("sha512-") for each in packages.values())
    assert '"resolved"' not in text
