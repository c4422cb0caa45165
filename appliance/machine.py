"""What a process learns from the machine it runs on before anything is built: whose board this is, and secrets that lie in files."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

from appliance.settings import SettingsError

# What a board and its card call themselves; a copy of the database finds other values elsewhere and sells nothing.
_BOARD = ("/proc/device-tree/serial-number", "/sys/block/mmcblk0/device/cid")
_MACHINE = ("/etc/machine-id",)


def bound_to(read: Callable[[str], str] | None = None) -> str:
    """Fingerprint of this board and card; on other machines of the machine's id, or its name where it has none."""
    reader = read or _first_line
    facts = [value for path in _BOARD if (value := reader(path))] or [
        value for path in _MACHINE if (value := reader(path))
    ]
    return hashlib.sha256("\0".join(facts or [socket.gethostname()]).encode()).hexdigest()[:32]


def secret(file: str, key: str) -> str:
    """Return the first line of a file that nobody else may read; raises ``SettingsError`` naming the setting ``key``."""
    try:
        if Path(file).stat().st_mode & 0o077:
            raise SettingsError([f"{key}: {file} can be read by others; run chmod 600"])
        return Path(file).read_text("utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        raise SettingsError([f"{key}: {file} cannot be read or is empty"]) from None


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
