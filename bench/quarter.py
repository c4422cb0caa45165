"""Less processor than there is: processes in a control group of their own, whose share the kernel enforces."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.servers import ProgramMissing

# A slow core is slow all the time; the usual period of 100 ms would be a fast one that stands still for most of it.
PERIOD_US = 10_000
_V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


@contextlib.contextmanager
def limited(pids: Iterable[int], cores: float) -> Iterator[None]:
    """Let these processes have so many cores together until the block ends; ``ProgramMissing`` where that cannot be had."""
    quota_us = int(cores * PERIOD_US)
    is_v1 = (_V1 / "cpu.cfs_quota_us").exists() or (_V1 / "cgroup.procs").exists()
    group = (_V1 if is_v1 else _V2) / f"marquee-bench-{os.getpid()}"
    pids = tuple(pids)
    try:
        if not is_v1:
            (_V2 / "cgroup.subtree_control").write_text("+cpu")
        group.mkdir()
        if is_v1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        _move(pids, group)
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        raise ProgramMissing(
            f"no control group for processor time can be made here ({error.strerror}); be root"
        ) from None
    try:
        yield
    finally:
        _move(pids, group.parent)
        with contextlib.suppress(OSError):
            group.rmdir()


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in family(int(child)))]


def _move(pids: Iterable[int], group: Path) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
