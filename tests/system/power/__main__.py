"""``python -m tests.system.power [--cuts N] [--seed S]``: the power cuts of ``cuts``, as many as are wanted, on a board of their own."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time

from tests.system import ending
from tests.system.cloud import SEEN_AS
from tests.system.image import image
from tests.system.power.cuts import Cuts
from tests.system.updates import bundles
from tests.system.venue_board import venue

_START_S = time.monotonic()


def say(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - _START_S:6.1f}] {line}", flush=True)


def main(words: list[str]) -> int:
    """Return 0 if every boot came back with every order."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.power")
    parser.add_argument("--cuts", type=int, default=10, help="how often the power goes; default: %(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="moments, and what the card loses")
    given = parser.parse_args(words)
    ending.orderly()
    say(f"seed {given.seed}: the same moments again with --seed {given.seed}")
    built = image()
    with bundles.served({"good": built.bundle}) as port, venue(built.raw, given.seed, say) as at:
        at.start()
        say(f"a box office after {at.board.check('cut -d. -f1 /proc/uptime').strip()} s")
        cuts = Cuts(at, random.Random(given.seed), f"http://{SEEN_AS}:{port}/good", say)
        cuts.take(given.cuts)
    cuts.tell()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
