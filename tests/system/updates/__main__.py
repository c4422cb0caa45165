"""``python -m tests.system.updates [--short] [--cuts N] [--seed S]``: one board, from its first update to its last way back, and the power
cuts in all of that and after it; ``--short`` takes one way back instead of four."""

from __future__ import annotations

import argparse
import base64
import contextlib
import random
import re
import secrets
import shlex
import sys
import tempfile
import time
from pathlib import Path

from tests.system import ending
from tests.system.board import Unanswered
from tests.system.cloud import SEEN_AS
from tests.system.figures import tell
from tests.system.image import image
from tests.system.power.cuts import Cuts
from tests.system.updates import bundles
from tests.system.venue_board import READY_S, Venue, venue

_START_S = time.monotonic()
A, B = 2, 3
INSTALL_S = 1800.0
# What RAUC says of each bundle that it must refuse.
REFUSALS = {
    "a stranger's signature": r"signature verification failed.*|Verify error.*",
    "another board": r"Compatible mismatch.*",
    "no hash tree": r"[Bb]undle format 'plain' not (?:allowed|supported).*",
}
# A gate that has given up by then, and the reboot behind it.
UNHEALTHY_S = 2400.0
# What is done in a trial, by a board that still boots.
THEN_S = 300.0
# What the hardware's watchdog is given on a trial that hangs; the model's other boots have longer, see ``board.agent``.
WATCHDOG_S = 20
_MANAGER = "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
# The first process stands still: nobody feeds the watchdog any more.
_FREEZE = (
    f"until busctl set-property {_MANAGER} RuntimeWatchdogUSec t {WATCHDOG_S * 10**6}; do sleep 1; done;"
    " echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze"
)
# A gate that finds no portal waits for one for minutes (update_ready_s). Here it may give up sooner: what it does then is the same.
GATE_S = 60
_GATE = f"""\
[Service]
ExecStart=
ExecStart=/usr/lib/marquee/bin/marquee ready --boot --wait {GATE_S} --page http://127.0.0.1:8082/healthz
"""
_NO_PORTAL = (
    "systemd.mask=marquee-portal.service systemd.set_credential_binary=systemd.unit-dropin.marquee-ready.service:"
    + base64.b64encode(_GATE.encode()).decode()
)
# A look at the slots comes by way of a service that has 25 s to answer, which a board that still boots may not keep.
ARM_TRIES = 3
# What the next program's migration may leave behind: a table, a column and a revision that this program has never heard of.
_NEXT = "9999"
_MIGRATE = (
    "import sqlite3; db = sqlite3.connect('/var/lib/marquee/marquee.db', timeout=25);"
    " db.executescript('BEGIN IMMEDIATE; CREATE TABLE next_things (id INTEGER PRIMARY KEY);"
    f" ALTER TABLE orders ADD COLUMN next_thing TEXT; UPDATE alembic_version SET version_num = {_NEXT}; COMMIT')"
)
_REVISION = (
    "import sqlite3; db = sqlite3.connect('file:/var/lib/marquee/marquee.db?mode=ro', uri=True);"
    " print(*db.execute('SELECT version_num FROM alembic_version').fetchone())"
)


def say(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - _START_S:6.1f}] {line}", flush=True)


class Walk:
    """The steps, in order; each leaves a box office in a slot that it names."""

    def __init__(self, at: Venue, url: str, chance: random.Random) -> None:
        self.at, self.board, self.url, self.chance = at, at.board, url, chance
        self.cuts = Cuts(at, chance, url, say)

    def refuse(self, names: dict[str, str]) -> None:
        """Bundles that must not be installed: nothing is written, the slot that boots stays."""
        before = self.at.slots()
        for name, url in names.items():
            done = self.board.run(f"rauc install {url}", 120)
            assert done.status, f"a bundle with {name} was installed:\n{done.output}"
            reason = re.search(REFUSALS[name], done.output)
            assert reason, f"a bundle with {name} was refused for something else:\n{done.output}"
            say(f"refused, {name}: {reason[0]}")
            assert self.at.slots()["next"] == before["next"]

    def install(self) -> None:
        """Install into the other slot while people book."""
        self.at.wait_ready()
        self.at.join()
        begun, begun_s = len(self.at.sales.confirmed), time.monotonic()
        # Two who never pause take all of an emulated processor, and an install beside them a quarter of an hour.
        with self.at.selling(phones=2, pause_s=4):
            printed = self.board.check(f"rauc install {self.url}", INSTALL_S)
        took_s = time.monotonic() - begun_s
        sold = len(self.at.sales.confirmed) - begun
        assert sold, "nothing was sold while it was installed"
        say(f"installed in {took_s:.0f} s, {sold} orders confirmed meanwhile; {printed.strip().splitlines()[-1]}")
        tell("updates", "bundle installed over HTTP while people book", f"{took_s:.0f} s, {sold} orders meanwhile")

    def fail(self, what: str, fault: str, *, slower: float = 0.0, then: str = "", by: str = "reset") -> None:
        """Try slot B with a fault in it, and give it a command ``then``; the board must sell in A again by itself, ended ``by`` what must end it."""
        self._arm()
        self.board.faults[B] = fault
        if slower:
            self.board.slower[B] = slower
        trial, begun_s = len(self.board.boots), time.monotonic()
        self._reboot()
        if then:
            self.board.wait_boot(trial, READY_S)
            with contextlib.suppress(Unanswered):
                done = self.board.run(then, THEN_S)
                assert not done.status, f"{then} ended with {done.status}:\n{done.output}"
        end = self.board.wait_end(trial, UNHEALTHY_S)
        assert self.board.boots[trial].partition == B
        assert self.board.boots[trial].tryboot
        assert end == by, f"{what} was ended by {end}"
        self.at.sells_again(trial + 1, A)
        assert self.at.slots()["default"] == "A"
        self.board.faults.clear()
        self.board.slower.clear()
        took_s = time.monotonic() - begun_s
        say(f"{what}: ended by {end}, slot A sells with every order after {took_s:.0f} s")
        tell("updates", f"way back from {what}", f"slot A sells after {took_s:.0f} s", "by itself")

    def sell_in_next_schema(self) -> None:
        """Book where the trial that was taken back has left the next program's schema."""
        found = self.board.check(f"python3 -c {shlex.quote(_REVISION)}").strip()
        assert found == _NEXT, f"the schema is at {found}"
        assert any(self.at.sell() for _ in range(5)), "nothing is sold in a newer schema"
        self.at.check_kept()
        say("slot A sells in the schema of the update that was taken back")
        tell("updates", "sold by the old slot in the schema of the update that was taken back", "yes", "yes")

    def try_good(self) -> None:
        """Reboot into what was installed, and find the new slot kept, also after the plug was pulled."""
        self._arm()
        boot = len(self.board.boots)
        self._reboot()
        self.at.recovered(boot, B)
        assert self.board.boots[boot].tryboot
        found = self.at.slots()
        assert (found["running"], found["default"], found["states"]["B"]) == ("B", "B", "good"), found
        say("the new slot came up by tryboot and is the default now")
        self.cuts.under_load()
        assert (self.board.now.partition, self.board.now.tryboot) == (B, False)
        tell("updates", "trial, marked good, kept over a power cut", "slot B", "the new slot")

    def cut_mark_good(self) -> None:
        """Take the power while a trial is marked good: one of both slots boots, whole."""
        self._arm()
        boot = len(self.board.boots)
        self._reboot()
        self.board.wait_boot(boot, READY_S)
        waits = "until systemctl is-active -q boot-complete.target; do sleep 0.2; done"
        self.board.check(waits, READY_S)
        time.sleep(self.chance.uniform(0, 6))
        self.board.power_cut()
        self.board.start()
        boot += 1
        found = self.board.wait_boot(boot, READY_S)
        self.at.sells_again(boot, found.partition)
        slots = self.at.slots()
        assert slots["running"] == slots["default"], slots
        self.cuts.count("while a trial was marked good")
        say(f"power cut while a trial was marked good: partition {found.partition} with every order")
        kept = f"slot {slots['running']}, every order kept"
        tell("updates", "power cut while a slot is marked good", kept, "a slot that works")

    def _arm(self) -> None:
        for left in reversed(range(ARM_TRIES)):
            done = self.board.run("rauc status mark-active other")
            if not done.status:
                return
            assert left, f"the other slot cannot be tried:\n{done.output}"
            say(f"the other slot is not to be tried yet: {done.output.strip()[-200:]}")
            time.sleep(15)

    def _reboot(self) -> None:
        # The answer may be lost with the board.
        with contextlib.suppress(Unanswered):
            self.board.run("systemctl reboot", INSTALL_S)


def main(words: list[str]) -> int:
    """Return 0 if every step ended in the slot that it must."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.updates")
    parser.add_argument(
        "--short", action="store_true", help="no trial that panics, hangs before the system or hangs in it"
    )
    parser.add_argument(
        "--cuts", type=int, default=7, help="power cuts besides the three in updates; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="moments of power cuts")
    given = parser.parse_args(words)
    ending.orderly()
    say(f"seed {given.seed}")
    built = image()
    with tempfile.TemporaryDirectory(prefix="bundles-") as name:
        bad = bundles.refused(Path(name))
        files = {f"bad-{number}": path for number, path in enumerate(bad.values())} | {"good": built.bundle}
        with bundles.served(files) as port, venue(built.raw, given.seed, say) as at:
            base = f"http://{SEEN_AS}:{port}"
            at.start()
            say(f"a box office; {at.slots()}")
            walk = Walk(at, f"{base}/good", random.Random(given.seed))
            walk.refuse({name: f"{base}/bad-{number}" for number, name in enumerate(bad)})
            walk.cuts.under_load(install=True)
            walk.install()
            migrate = f"python3 -c {shlex.quote(_MIGRATE)}"
            walk.fail("a portal that does not start", _NO_PORTAL, then=migrate)
            walk.sell_in_next_schema()
            if not given.short:
                walk.fail("a panic", "init=/usr/bin/false")
                walk.fail("a hang before the system", "init=/usr/bin/sleep -- infinity", slower=1.0, by="watchdog")
                walk.fail("a hang of the system", "", then=_FREEZE, by="watchdog")
            walk.try_good()
            walk.cut_mark_good()
            walk.cuts.take(given.cuts)
        walk.cuts.tell()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
