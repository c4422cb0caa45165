"""``python -m tests.system [PART] [-- ARGUMENTS]``: the parts that boot hosts, radios and boards; all of them without a name.

Every part is a module ``tests.system.<part>`` that ends with 0 or not; one that is missing or did not run fails the whole. All of them run two
at a time, because each waits for something now and then; only the one that compares times has the machine for itself.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.system import figures

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "appliance.md"
ALONE, TOGETHER = ("board",), (("updates",), ("guest", "radio", "setup", "fleet"))
# The updates have ten power cuts among them; as many as anybody wants are taken by name.
BY_NAME = ("power",)
PARTS = (*ALONE, *(part for lane in TOGETHER for part in lane), *BY_NAME)
# All of it with warm caches on two quiet cores.
LIMIT_MIN = 45


class Run:
    """Parts that run and ran; ``well`` and ``failed`` name those that ended, well or not, ``ended_by`` is the signal that ended all of them."""

    def __init__(self, environment: dict[str, str], arguments: Sequence[str] = ()) -> None:
        self.well: list[str] = []
        self.failed: list[str] = []
        self._environment, self._arguments = environment, arguments
        self._running: set[subprocess.Popen[str]] = set()
        self.ended_by = 0
        self._printing = threading.Lock()

    def lane(self, parts: Sequence[str]) -> None:
        """Run parts one after the other; none after ``end``."""
        for part in parts:
            if not self.ended_by:
                self._part(part)

    def end(self, number: int) -> None:
        """Ask everything that runs to end because of a signal, and begin nothing more; parts end what they booted."""
        self.ended_by = number
        for each in tuple(self._running):
            each.send_signal(signal.SIGTERM)

    def _part(self, part: str) -> None:
        self._say(f"=== {part}")
        begun_s = time.monotonic()
        words = [sys.executable, "-m", f"tests.system.{part}", *self._arguments]
        with subprocess.Popen(
            words, cwd=PROJECT, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        ) as running:  # fmt: skip
            self._running.add(running)
            if self.ended_by:
                running.send_signal(signal.SIGTERM)
            for line in running.stdout or ():
                self._say(f"{part:>7} | {line.rstrip()}")
        self._running.discard(running)
        took_min = (time.monotonic() - begun_s) / 60
        (self.failed if running.returncode else self.well).append(part)
        self._say(
            f"=== {part}: {f'failed ({running.returncode})' if running.returncode else 'well'} after {took_min:.1f} min"
        )

    def _say(self, line: str) -> None:
        with self._printing:
            print(line, flush=True)


def main(words: list[str]) -> int:
    """Run the parts; return 0 if each of them ended well, and all of them together in ``LIMIT_MIN``."""
    given = _parser().parse_args(words)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="figures-") as name:
        told = Path(name) / "figures"
        run = Run({**os.environ, figures.FILE_VARIABLE: str(told), "PYTHONUNBUFFERED": "1"}, given.arguments)
        # A time limit, or somebody who has seen enough.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda number, _: run.end(number))
        if given.part:
            run.lane((given.part,))
        else:
            run.lane(ALONE)
            with ThreadPoolExecutor(len(TOGETHER)) as lanes:
                list(lanes.map(run.lane, TOGETHER))
        found = figures.read(told)
    took_min = (time.monotonic() - began_s) / 60
    late = not given.part and took_min > LIMIT_MIN
    if not given.part:
        found.append(figures.Figure("all", "every part, caches warm", f"{took_min:.0f} min", f"<= {LIMIT_MIN} min"))
    if found:
        print(figures.table(found))
    if run.ended_by:
        return 128 + run.ended_by
    if run.failed:
        print(f"failed: {', '.join(run.failed)}", file=sys.stderr)
        return 1
    if found and given.write:
        whole = () if given.arguments else run.well
        PAGE.write_text(figures.merged(PAGE.read_text("utf-8"), found, whole), "utf-8")
    # A figure that misses its aim is a figure all the same.
    if late:
        print(f"all parts took {took_min:.1f} min, which must be {LIMIT_MIN} at most", file=sys.stderr)
    return int(late)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.system")
    parser.add_argument("part", nargs="?", choices=PARTS, help="only this part; default: all")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {PAGE.name}")
    parser.add_argument("arguments", nargs="*", metavar="-- ARGUMENTS", help="handed to the part")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
