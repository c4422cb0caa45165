"""Programs: run with their words kept in a log, in the tools root or in a root of the image, without leaving mounts behind."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from image.errors import BuildError

TOLD_LINES = 30
# What every program sees; the build host's language, time zone and settings must not show in the result.
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/root"}


class Children:
    """All programs of a build that run now."""

    def __init__(self) -> None:
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._over = False
        self._one_changes = threading.Lock()

    def call(self, command: Sequence[str], log: IO[bytes], env: Mapping[str, str], cwd: Path | None) -> int:
        """Run a program to its end and return its exit status. Raises ``BuildError`` where the build is over."""
        with self._one_changes:
            if self._over:
                raise BuildError("The build was interrupted.")
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env, cwd=cwd
            )
            self._alive.add(child)
        try:
            return child.wait()
        finally:
            with self._one_changes:
                self._alive.discard(child)

    def end(self) -> None:
        """Kill what runs; nothing more is started."""
        with self._one_changes:
            self._over = True
            for child in self._alive:
                child.kill()


class Programs:
    """Runs programs for one step; what they say goes to the step's log. ``children`` are those of the whole build."""

    def __init__(self, log: Path, epoch: int, children: Children | None = None) -> None:
        self._log, self._children = log, children or Children()
        self.epoch = epoch
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def run(self, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        """Run a program on the build host; what it mounts is seen by itself alone and ends with it."""
        self._call(command, env or {}, cwd)

    def apart(self, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        """Run a program with mounts and processes of its own: nothing of it is left when it or the build is killed."""
        self._call((*_APART, *command), env or {}, cwd)

    def within(self, root: Path, *command: str, binds: Mapping[str, Path] | None = None, env: Mapping[str, str] | None = None) -> None:  # fmt: skip
        """Run a program of another root, with the kernel's file systems and the given folders mounted there for as long."""
        lines = ["set -e", *mounts(root, binds or {}), f"exec chroot {shlex.quote(str(root))} {shlex.join(command)}"]
        self._call((*_APART, "sh", "-c", "\n".join(lines)), env or {}, None)

    def _call(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None) -> None:
        words = {**CLEAN, "SOURCE_DATE_EPOCH": str(self.epoch), **_kept(), **env}
        with self._log.open("ab") as log:
            log.write(f"$ {shlex.join(command)}\n".encode())
            log.flush()
            status = self._children.call(command, log, words, cwd)
        if status:
            raise BuildError(f"{_name(command)} failed ({status}); the end of {self._log}:\n{self._end()}")

    def _end(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TOLD_LINES:])


# The first word: it ends with the build, also where that is killed.
_APART = (
    "setpriv",
    "--pdeathsig=KILL",
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)


def mounts(root: Path, binds: Mapping[str, Path]) -> list[str]:
    """Lines of a shell that mount what a program in another root needs."""

    def at(path: str) -> str:
        return shlex.quote(f"{root}{path}")

    lines = [
        f"mount -t proc proc {at('/proc')}",
        f"mount -t tmpfs tmpfs {at('/dev')}",
        *(f"touch {at(f'/dev/{name}')} && mount --bind /dev/{name} {at(f'/dev/{name}')}" for name in _DEVICES),
        f"ln -s /proc/self/fd {at('/dev/fd')}",
        f"mkdir {at(_SHARED)} && mount -t tmpfs tmpfs {at(_SHARED)}",
        f"mount -t tmpfs tmpfs {at('/run')}",
    ]
    return lines + [f"mount --bind {shlex.quote(str(host))} {at(inner)}" for inner, host in binds.items()]


# Memory that programs share; not ours to write to.
_SHARED = "/dev/shm"  # noqa: S108
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def _kept() -> dict[str, str]:
    """How this host reaches the outside is its own affair."""
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name in {"SSL_CERT_FILE", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CERT"}}  # fmt: skip


def _name(command: Sequence[str]) -> str:
    words = [word for word in command if not word.startswith("-")]
    return words[0] if words[0] != _APART[0] else shlex.join(command[len(_APART) :])[-200:]
