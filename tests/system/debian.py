"""Debian 13 from the host's own package sources: what guests, fleet and emulator are made of, and where it is kept between runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SUITE = "trixie"
SOURCES = Path("/etc/apt")
# What no run has used for so long is removed.
KEPT_S = 14 * 86400
# Options of mmdebstrap for a system that nobody reads manuals in.
SMALL = (
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale", "info")),
)

# What is made here is made anew when this changes.
RECIPE = Path(__file__).read_bytes()

Say = Callable[[str], None]


def cache(name: str) -> Path:
    """Return the folder in which things of that name outlast a run."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marquee" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others out of a cache: a second run would build the same, and waits for the first instead."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(work: Path, target: Path, packages: tuple[str, ...], *options: str, variant: str = "minbase") -> None:
    """Install packages and what they need into ``target``, a folder or an archive; ``work`` is a folder for what is in between."""
    run("mmdebstrap", "--mode=root", f"--variant={variant}", f"--include={','.join(packages)}", *SMALL, *options,
        SUITE, str(target), str(_sources(work)))  # fmt: skip


def forget_old(folder: Path) -> None:
    """Remove from a cache what no run has used for a while, and what an interrupted one left; whoever uses something touches it."""
    now_s = time.time()
    for each in folder.iterdir():
        old = now_s - each.stat().st_mtime > KEPT_S
        if each.name.startswith("building-") or (each.name != "lock" and old):
            shutil.rmtree(each) if each.is_dir() else each.unlink()


def _sources(work: Path) -> Path:
    """The host's package sources, for that release."""
    here = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    if here is None:
        raise SystemExit("This host is no Debian; its package sources cannot be used.")
    new = SOURCES / "sources.list.d" / "debian.sources"
    old = SOURCES / "sources.list"
    text, ending = (new.read_text(), "sources") if new.exists() else (old.read_text(), "list")
    path = work / f"installed.{ending}"
    path.write_text(re.sub(rf"\b{here[1]}\b", SUITE, text))
    return path


def run(*command: str) -> None:
    """Run a command that must succeed; ends with what it printed where it does not."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-4000:]}")
