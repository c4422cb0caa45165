"""``python -m tests.system.guest [PYTEST ARGUMENTS]``: the suite of real devices, in a booted guest."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable

from tests.system import ending
from tests.system.guest.boot import run
from tests.system.guest.root import guest

PROGRAMS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "tar": "tar"}
SUITE = (
    "MARQUEE_NO_SKIPS=1 python3 -m pytest -p no:cacheprovider -c /dev/null --rootdir /run/tree --import-mode importlib"
    " --color no -v -rfE --timeout 180 --durations 5 tests/system/guest/inside"
)
_START_S = time.monotonic()


def say(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - _START_S:6.1f}] {line}", flush=True)


def missing(user: int, found: Callable[[str], str | None]) -> list[str]:
    """What keeps user number ``user`` from building and booting a guest, where ``found`` gives a program's path."""
    told = [] if user == 0 else ["It must run as root, who may install a Debian in a folder."]
    return told + [
        f"The program {program} is missing (Debian: {package})."
        for program, package in PROGRAMS.items()
        if found(program) is None
    ]


def main(arguments: list[str]) -> int:
    """Build, boot, run; return pytest's exit status."""
    if told := missing(os.geteuid(), shutil.which):
        raise SystemExit("\n".join(told))
    ending.orderly()
    made = guest(say)
    say("booting the guest (half a minute on two quiet cores) ...")
    status = run(made, f"{SUITE} {shlex.join(arguments)}\n", say)
    say(f"the suite ended with {status}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
