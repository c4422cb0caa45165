"""``python -m tests.system [PART] [-- ARGUMENTS]``: the parts that boot hosts, radios and boards; all of them without a name.

Every part is a module ``tests.system.<part>`` that ends with 0 or not; one that is missing or did not run fails the whole.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.system import figures

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "appliance.md"
PARTS = ("guest", "fleet", "radio", "board", "updates", "power")
# All of it with warm caches on two quiet cores.
LIMIT_S = 45 * 60


def main(words: list[str]) -> int:
    """Run the parts; return 0 if each of them ended well."""
    given = _parser().parse_args(words)
    chosen = (given.part,) if given.part else PARTS
    failed, began_s = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="figures-") as name:
        told = Path(name) / "figures"
        environment = {**os.environ, figures.FILE_VARIABLE: str(told)}
        for part in chosen:
            print(f"=== {part}", flush=True)
            begun_s = time.monotonic()
            command = [sys.executable, "-m", f"tests.system.{part}", *given.arguments]
            status = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
            took_s = time.monotonic() - begun_s
            print(
                f"=== {part}: {'well' if status == 0 else f'failed ({status})'} after {took_s / 60:.1f} min", flush=True
            )
            failed += [part] if status else []
        found = figures.read(told)
    took_s = time.monotonic() - began_s
    if not given.part:
        found.append(figures.Figure("all", "every part, caches warm", f"{took_s / 60:.0f} min", "<= 45 min"))
    if found:
        print(figures.table(found))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    if found and given.write:
        PAGE.write_text(figures.merged(PAGE.read_text("utf-8"), found), "utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.system")
    parser.add_argument("part", nargs="?", choices=PARTS, help="only this part; default: all")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {PAGE.relative_to(PROJECT)}")
    parser.add_argument("arguments", nargs="*", metavar="-- ARGUMENTS", help="handed to the part")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
