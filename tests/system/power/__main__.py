"""``python -m tests.system.power [--cuts N] [--seed S]``: the board loses its power N times while phones book, every third time while it
also writes an update into its other slot."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import threading
import time

from tests.system.board import Unanswered
from tests.system.cloud import SEEN_AS
from tests.system.figures import tell
from tests.system.image import image
from tests.system.updates import bundles
from tests.system.venue_board import Venue, venue

_START_S = time.monotonic()
# Of so many cuts one falls into an update, and so long after the first order one may come: an install takes minutes.
UPDATE_EVERY, SELLING_S, WRITING_S = 3, 12.0, 40.0
# Writes past the kernel's cache and asks for no flush, all the while: there is always something that a card may lose or tear. Only
# bookings and updates flush, and these must not depend on what else the card was doing.
_UNFLUSHED = (
    "systemctl is-active -q power-writer || systemd-run -q --unit=power-writer sh -c 'while sleep 0.1; do"
    " dd if=/dev/zero of=/data/power-writer bs=64k count=16 oflag=direct conv=notrunc status=none; done'"
)


def say(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - _START_S:6.1f}] {line}", flush=True)


def main(words: list[str]) -> int:
    """Return 0 if every boot came back with every order."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.power")
    parser.add_argument("--cuts", type=int, default=10, help="how often the power goes; default: %(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="moments, and what the card loses")
    given = parser.parse_args(words)
    say(f"seed {given.seed}: the same moments again with --seed {given.seed}")
    chance = random.Random(given.seed)
    built = image()
    with bundles.served({"good": built.bundle}) as port, venue(built.raw, given.seed, say) as at:
        at.start()
        say(f"a box office after {at.board.check('cut -d. -f1 /proc/uptime').strip()} s")
        unflushed, lost = 0, 0
        for number in range(1, given.cuts + 1):
            before = len(at.sales.confirmed)
            _cut(at, chance, f"http://{SEEN_AS}:{port}/good" if number % UPDATE_EVERY == 0 else "")
            kept = at.board.boots[-2].kept
            unflushed, lost = unflushed + kept.unflushed, lost + kept.lost
            fresh = len(at.sales.confirmed) - before
            say(
                f"cut {number}: {fresh} orders were confirmed, all {at.check_kept()} are there; of {kept.unflushed} unflushed writes {kept.lost} were lost"
            )
        # After the last cut, that this is a whole box office: the boots before were cut off again as soon as phones could book.
        at.wait_ready()
        at.check_kept()
    tell(
        "power",
        "power cuts under booking load, each followed by a boot with every confirmed order",
        f"{given.cuts} of {given.cuts}",
        "all",
    )
    tell("power", "orders confirmed over the air meanwhile, lost", f"{len(at.sales.confirmed)}, 0", "0 lost")
    tell("power", "writes that the card had not flushed, of them lost or torn", f"{unflushed}, {lost}")
    assert lost, "no cut took anything from the card: nothing was shown of what a card may lose"
    return 0


def _cut(at: Venue, chance: random.Random, bundle: str) -> None:
    """Sell, take the power at a moment by chance, boot, and wait until a phone can book; ``bundle``: install that meanwhile."""
    at.join()
    at.board.check(_UNFLUSHED)
    begun = len(at.sales.confirmed)
    with at.selling():
        end_s = time.monotonic() + 120
        while len(at.sales.confirmed) == begun and time.monotonic() < end_s:
            time.sleep(0.1)
        writing = _Install(at, bundle) if bundle else None
        time.sleep(chance.uniform(0, WRITING_S if bundle else SELLING_S))
        at.board.power_cut()
        if writing is not None:
            writing.check_cut_off()
    number = len(at.board.boots)
    at.board.start()
    at.sells_again(number, at.board.boots[number - 1].partition)


class _Install:
    """An update that is under way until the power goes."""

    def __init__(self, at: Venue, bundle: str) -> None:
        self._at, self._ended = at, ""
        self._thread = threading.Thread(target=self._run, args=(f"rauc install {bundle}",), daemon=True)
        self._thread.start()

    def _run(self, command: str) -> None:
        try:
            done = self._at.board.run(command, 600)
            self._ended = f"it ended by itself with {done.status}:\n{done.output}"
        except Unanswered:
            self._ended = "cut off"

    def check_cut_off(self) -> None:
        """Raises ``AssertionError`` where nothing was being written when the power went."""
        self._thread.join(60)
        assert self._ended == "cut off", self._ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
