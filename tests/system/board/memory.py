"""Where the memory of a box office is: what our processes take, and what is left of all of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.system.board.board import Board

_PSS = (
    "for unit in $(systemctl list-units --type=service --state=running --plain --no-legend | cut -d' ' -f1); do"
    " sum=0; for pid in $(cat /sys/fs/cgroup$(systemctl show -P ControlGroup $unit)/cgroup.procs); do"
    " pss=$(sed -En 's/^(Swap)?Pss: *([0-9]+) kB/\\2/p' /proc/$pid/smaps_rollup | paste -sd+); sum=$((sum + ${pss:-0})); done;"
    " echo $unit $sum; done"
)
_UNIT_KB = re.compile(r"^(\S+\.service) (\d+)$", re.MULTILINE)
# Besides what is called marquee: Debian's programs that only run for us.
_OURS = re.compile(r"^(marquee-|nginx|hostapd)")
_VALUE = re.compile(r"^(\w+):? +(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Whole:
    """All memory that the kernel gives away, and what of it could be had at once; what lies in swap, and in which; how many processes the
    kernel has killed for want of memory, their own unit's or the board's."""

    total_mb: float
    available_mb: float
    swapped_mb: float
    swaps: tuple[str, ...]
    killed: int


def ours_mb(board: Board) -> float:
    """Megabytes that our processes and the ones that only run for us take, in swap too, each shared page counted once."""
    total_kb = 0
    for unit, kb in _UNIT_KB.findall(board.check(_PSS)):
        if _OURS.match(unit):
            print(f"{int(kb) / 1024:7.1f} MB  {unit}")
            total_kb += int(kb)
    return total_kb / 1024


def whole(board: Board) -> Whole:
    """What the kernel says of its memory (proc_meminfo(5), ``oom_kill`` of proc_vmstat(5))."""
    values = {name: int(number) for name, number in _VALUE.findall(board.check("cat /proc/meminfo /proc/vmstat"))}
    swaps = tuple(line.split()[0] for line in board.check("cat /proc/swaps").splitlines()[1:])
    return Whole(
        values["MemTotal"] / 1024,
        values["MemAvailable"] / 1024,
        (values["SwapTotal"] - values["SwapFree"]) / 1024,
        swaps,
        values["oom_kill"],
    )
