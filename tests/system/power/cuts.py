"""Power cuts at moments by chance, while phones book and while an update is written."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from tests.system import figures
from tests.system.board import Unanswered
from tests.system.venue_board import Venue

# Of so many cuts one falls into an update, and so long after the first order one may come: an install takes minutes.
UPDATE_EVERY, SELLING_S, WRITING_S = 3, 12.0, 40.0
# By then a bundle was opened and is being written.
BEGUN_S = 5.0
FIRST_ORDER_S = 120.0
# Writes past the kernel's cache and asks for no flush, all the while: there is always something that a card may lose or tear. Only
# bookings and updates flush, and these must not depend on what else the card was doing.
_UNFLUSHED = (
    "systemctl is-active -q power-writer || systemd-run -q --unit=power-writer sh -c 'while sleep 0.1; do"
    " dd if=/dev/zero of=/data/power-writer bs=64k count=16 oflag=direct conv=notrunc status=none; done'"
)


class Cuts:
    """The power cuts of one board, and what its card made of them."""

    def __init__(self, at: Venue, chance: random.Random, bundle: str, say: Callable[[str], None]) -> None:
        self._at, self._chance, self._bundle, self._say = at, chance, bundle, say
        self._made = self._orders = self._unflushed = self._lost = 0

    def take(self, count: int) -> None:
        """Take the power so many times under load, every third time while an update is written too; each time a phone must be able to
        book again and every confirmed order be there. Ends with a whole box office."""
        for number in range(1, count + 1):
            self.under_load(install=number % UPDATE_EVERY == 0)
        # The boots before were cut off again as soon as phones could book.
        self._at.wait_ready()
        self._at.check_kept()

    def under_load(self, *, install: bool = False) -> None:
        """Sell, take the power at a moment by chance, boot the same slot, and wait until a phone can book; ``install`` the bundle meanwhile."""
        at, before = self._at, len(self._at.sales.confirmed)
        if install:
            # An operator installs on a box office that is whole; and a slot that is cut off before it is ten times in a row is left, rightly.
            at.wait_ready()
        at.join()
        at.board.check(_UNFLUSHED)
        with at.selling():
            end_s = time.monotonic() + FIRST_ORDER_S
            while len(at.sales.confirmed) == before:
                assert time.monotonic() < end_s, "nothing was sold"
                time.sleep(0.1)
            writing = _Install(at, self._bundle) if install else None
            time.sleep(self._chance.uniform(BEGUN_S, WRITING_S) if install else self._chance.uniform(0, SELLING_S))
            at.board.power_cut()
            if writing is not None:
                writing.check_cut_off()
        number = len(at.board.boots)
        at.board.start()
        at.sells_again(number, at.board.boots[number - 1].partition)
        sold = len(at.sales.confirmed) - before
        self._orders += sold
        self.count(f"after {sold} orders{' and while an update was written' if install else ''}")

    def count(self, when: str) -> None:
        """Add the cut that ended the boot before the present one, after which every order was found again."""
        kept = self._at.board.boots[-2].kept
        self._made, self._unflushed, self._lost = (
            self._made + 1,
            self._unflushed + kept.unflushed,
            self._lost + kept.lost,
        )
        self._say(
            f"cut {self._made}, {when}: every order is there; of {kept.unflushed} unflushed writes {kept.lost} were lost or torn"
        )

    def tell(self) -> None:
        """Tell the figures. Raises ``AssertionError`` where no cut took anything from the card: nothing was shown then of what it may lose."""
        every = f"{self._made} of {self._made}"
        figures.tell(
            "power",
            "power cuts under load or in an update, each followed by a boot with every confirmed order",
            every,
            "all",
        )
        figures.tell("power", "orders confirmed over the air just before them, lost", f"{self._orders}, 0", "0 lost")
        figures.tell(
            "power", "writes that the card had not flushed, of them lost or torn", f"{self._unflushed}, {self._lost}"
        )
        assert self._lost, "no cut took anything from the card"


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
