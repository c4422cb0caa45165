"""How a part ends that somebody asks to end, by SIGTERM or from the keyboard: in order, with all that it booted."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def orderly() -> None:
    """Let what runs clean up after itself, once: a second signal, which a time limit may send, does not disturb it."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)
