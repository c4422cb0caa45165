"""Who waits for whom where tests run in several processes."""

from __future__ import annotations

import functools
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[2]


class Turns(LoadScopeScheduling):
    """One of the workers has all files that bear the marker ``system``: they may need the machine, the others only a core."""

    def _split_scope(self, nodeid: str) -> str:
        return turn_of(nodeid)


def turn_of(nodeid: str) -> str:
    """Return whose turn a test has to wait for: that of all with programs of the system, or nobody else's."""
    return "machine" if _needs_programs(nodeid.partition("::")[0]) else nodeid


@functools.cache
def _needs_programs(path: str) -> bool:
    return "mark.system" in (ROOT / path).read_text("utf-8")
