"""Where steps leave what they made: a folder per step and key, complete or not there at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from image.errors import BuildError

KEPT_S = 21 * 86400
_BUILDING = "building-"
_SECONDS = "seconds"


def folder() -> Path:
    """Return the cache of this user, outside the checkout."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marquee" / "image"


class Cache:
    """Results of steps below one folder."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._one_writes = threading.Lock()

    def place(self, name: str, key: str) -> Path:
        """Return where the result of a step lies, or will."""
        return self.at / f"{name}-{key}"

    def has(self, name: str, key: str) -> bool:
        """Tell whether a step's result is complete."""
        return self.place(name, key).is_dir()

    def made(self, name: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return a step's result, made now in a folder that takes its name only when it is complete."""
        kept = self.place(name, key)
        if not kept.is_dir():
            work = self.at / f"{_BUILDING}{name}-{key}"
            work.mkdir(parents=True)
            make(work)
            work.rename(kept)
        os.utime(kept)
        return kept

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the cache: one build at a time. What a killed one left half done is removed first."""
        self.at.mkdir(parents=True, exist_ok=True)
        with (self.at / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BuildError(f"Another build holds {self.at}; wait for it, or end it.") from error
            for left in self.at.glob(f"{_BUILDING}*"):
                remove(left)
            yield

    def forget(self, used: set[Path], older_than_s: float = KEPT_S) -> None:
        """Remove results that no build has used for a while."""
        now_s = time.time()
        for each in self.at.iterdir():
            if (
                each.is_dir()
                and each.name != "log"
                and each not in used
                and now_s - each.stat().st_mtime > older_than_s
            ):
                remove(each)

    def times(self) -> dict[str, float]:
        """Seconds that steps took last time."""
        with contextlib.suppress(OSError, ValueError):
            return {name: float(value) for name, value in json.loads(self._times.read_text()).items()}
        return {}

    def took(self, name: str, kept: Path, seconds: float) -> None:
        """Remember how long a step took: with its result, and for the next one's bar."""
        (kept / _SECONDS).write_text(f"{seconds:.1f}\n")
        fresh = self._times.with_suffix(".new")
        with self._one_writes:
            fresh.write_text(json.dumps({**self.times(), name: round(seconds, 1)}, indent=1, sort_keys=True))
            fresh.replace(self._times)

    @staticmethod
    def seconds(kept: Path) -> float | None:
        """Return how long it took to make this result; None where nobody wrote it down."""
        with contextlib.suppress(OSError, ValueError):
            return float((kept / _SECONDS).read_text())
        return None

    @property
    def _times(self) -> Path:
        return self.at / "times.json"


def remove(path: Path) -> None:
    """Remove a tree; refuse while anything is mounted below it, because removing would reach through."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    below = [each for each in mounted if each == str(path) or each.startswith(f"{path}/")]
    for each in sorted(below, reverse=True):
        subprocess.run(["umount", "--lazy", each], check=True)
    shutil.rmtree(path)
