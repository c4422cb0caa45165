"""The clocks of this machine, and whether the wall clock can be believed."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from appliance.domain.clock import Now

Mode = Literal["auto", "trusted", "untrusted"]

# No release of this program is older than this moment (2025-01-01), so an earlier clock is wrong whatever it claims.
BUILT_AT_MS = 1_735_689_600_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STA_UNSYNC = 0x40  # linux/timex.h
_TIME_ERROR = 5


class _Timex(ctypes.Structure):
    """The head of ``struct timex`` (adjtimex(2)), with room for its tail; ``modes`` 0 only reads."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("tail", ctypes.c_byte * 256),
    )


def synchronised() -> bool:
    """Return whether the kernel says that the wall clock is synchronised."""
    timex = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (AttributeError, OSError):
        return False
    return state not in {-1, _TIME_ERROR} and not timex.status & _STA_UNSYNC


def system_clock(mode: Mode = "auto", synchronised: Callable[[], bool] = synchronised) -> Callable[[], Now]:
    """Return the clock of this machine; ``mode`` overrules what the kernel says, but never a clock before the build."""
    boot_id = _BOOT_ID.read_text().strip()

    def now() -> Now:
        wall_ms = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000
        boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        believed = mode == "trusted" or (mode == "auto" and synchronised())
        return Now(wall_ms, boot_ms, boot_id, believed and wall_ms >= BUILT_AT_MS)

    return now
