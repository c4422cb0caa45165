"""Memory of every process of a running demo, as the kernel counts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from bench.venue import free_port


def per_process_mb() -> dict[str, float]:
    """Return proportional set size in MB by process name, gunicorn's workers summed, once a demo of one venue is ready."""
    base = free_port() % 20000 + 20000
    command = [sys.executable, "-m", "appliance.cli", "demo", "--venues", "1", "--base-port", str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        found: dict[str, float] = {}
        try:
            pids: dict[str, int] = {}
            for line in demo.stdout:
                if line.startswith("pid: "):
                    _, _, name, pid = line.split()
                    pids[name] = int(pid)
                if line.strip() == "ready":
                    break
            found = {name: family_mb(pid) for name, pid in pids.items()}
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(20)
        return found


def family_mb(pid: int) -> float:
    """Return proportional set size in MB of a process and those it started."""
    return sum(_pss_mb(each) for each in family(pid))


def family(pid: int) -> list[int]:
    """Return a process and those it started, from whichever thread."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    children = [child for each in lists for child in each.read_text().split()]
    return [pid, *(member for child in children for member in family(int(child)))]


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
