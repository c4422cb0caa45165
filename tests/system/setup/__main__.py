"""``python -m tests.system.setup``: two boots of one card on a board with 512 MB. With a wrong provisioning file, and without one, it says so; with
the right one it is a box office: an operator comes in by SSH, phones book, the disk is full, the cable is out."""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.system import ending
from tests.system.board.memory import ours_mb, whole
from tests.system.figures import tell
from tests.system.image import image
from tests.system.setup import unset
from tests.system.setup.hardships import cable, full_disk
from tests.system.setup.operator import SSH_PORT, Operator, phones_are_shut_out
from tests.system.venue_board import DEVICE, READY_S, Venue, venue

_START_S = time.monotonic()
# A Zero 2 W's memory, and what our processes may take of it.
MEMORY_MB, OURS_MB = 512, 300
IDLE_S = 30.0


def say(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - _START_S:6.1f}] {line}", flush=True)


def main(_words: list[str]) -> int:
    """Return 0 if the card says what is wrong with it, and becomes a box office that bears what it must."""
    ending.orderly()
    built = image()
    with tempfile.TemporaryDirectory(prefix="operator-") as name, venue(built.raw, secrets.randbits(32), say) as at:
        operator = Operator(Path(name))
        at.board.hardware = replace(at.board.hardware, memory_mb=MEMORY_MB, cable=((operator.port, SSH_PORT),))
        right = at.cloud.provisioning(DEVICE, "--ssh-key", str(operator.public))
        wrong_card(at, right)
        # As people do who were told to put another file on the card.
        at.board.power_cut()
        at.board.card.write(1, "provisioning.toml", right)
        at.board.start()
        at.board.wait_boot(1, READY_S)
        at.wait_ready()
        say("with the right file it is a box office")
        box_office(at, operator)
    return 0


def wrong_card(at: Venue, right: bytes) -> None:
    """The first boot: of a file with mistakes, which is then taken away."""
    wrong = unset.spoilt(right)
    problems = unset.problems_of(wrong)
    at.board.card.write(1, "provisioning.toml", wrong)
    at.board.start()
    at.board.wait_boot(0, READY_S)
    # A slot is good that says what it lacks: another one would lack it too.
    at.wait_ready()
    ssid = unset.joined(at)
    say(f"a card with {len(problems)} mistakes in its file; a phone is on its Wi-Fi, {ssid}")
    unset.says(at, "bad_file", problems)
    unset.sells_nothing(at)
    unset.keeps_secret(at, right)
    say("page, screen, setup.json and /readyz name them; it sells nothing")
    at.board.run(f"rm {unset.FILE} && sync && systemctl restart marquee-first-boot.service")
    unset.says(at, "no_file", [])
    unset.sells_nothing(at)
    say("the same without a file")
    tell("setup", "mistakes of a file that page, screen and setup.json name", f"{len(problems)} of {len(problems)}", "all")  # fmt: skip


def box_office(at: Venue, operator: Operator) -> None:
    """The second boot: of the right file."""
    time.sleep(IDLE_S)
    idle_mb, before = ours_mb(at.board), whole(at.board)
    operator.know(at.board)
    print(operator.comes_in(DEVICE))
    operator.is_refused()
    say("SSH by the cable: the operator's key comes in, nothing else does")
    at.join()
    phones_are_shut_out(at)
    assert any(at.sell() for _ in range(10)), at.sales
    say("a phone booked; SSH does not answer it")
    full_disk(at, say)
    cable(at, say)
    failed = at.board.check("systemctl list-units --failed --plain --no-legend --no-pager").strip()
    assert not failed, f"units failed:\n{failed}"
    used_mb, after = ours_mb(at.board), whole(at.board)
    board = f"on a board with {MEMORY_MB} MB"
    tell("setup", f"memory of our processes {board}, idle (PSS, in swap too)", f"{idle_mb:.0f} MB", f"<= {OURS_MB} MB")
    tell("setup", f"memory of our processes {board}, after all of this", f"{used_mb:.0f} MB")
    for when, found in (("idle", before), ("after all of this", after)):
        shown = f"{found.available_mb:.0f} of {found.total_mb:.0f} MB, {found.swapped_mb:.0f} MB swapped"
        tell("setup", f"memory that is left {board}, {when} (MemAvailable)", shown)
    tell("setup", f"processes killed for want of memory {board}", str(after.killed), "0")
    assert after.killed == 0, at.board.run("journalctl -b -k --no-pager | grep -i oom").output
    assert after.swaps, "there is no swap"
    assert all(each.startswith("/dev/zram") for each in after.swaps), after.swaps
    assert idle_mb <= OURS_MB, f"our processes take {idle_mb:.0f} MB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
