"""Network namespaces: machines of their own as far as addresses, routes and firewalls go. They need root and are always removed."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
# More than the slowest question of a phone, less than a test may take.
LIMIT_S = 100
_numbers = itertools.count()


class Namespace:
    """One of them. ``inside`` runs Python in it: a thread may be in another network than its process (setns(2))."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=self._enter)

    def _enter(self) -> None:
        handle = os.open(_FOLDER / self.name, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(handle)

    def inside(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run ``work`` in this network and return what it returns."""
        return self._thread.submit(work, *arguments).result(LIMIT_S)

    def run(self, *command: str) -> str:
        """Run a command in this network; raises with what it said if it fails."""
        done = subprocess.run(self.command(*command), capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def command(self, *command: str) -> list[str]:
        """Return the words that run a command in this network."""
        return ["ip", "netns", "exec", self.name, *command]

    def ip(self, *words: str) -> None:
        """Set something up with ip(8)."""
        _ip("-n", self.name, *words)

    def close(self) -> None:
        """Remove it, and with it every interface in it."""
        self._thread.shutdown()
        _ip("netns", "del", self.name)


@contextmanager
def namespaces(*names: str) -> Iterator[list[Namespace]]:
    """Make namespaces, each with a loopback interface that is up; skip the test where that is not allowed."""
    if os.geteuid() != 0:
        # Here, because phones are also played where there is no pytest: in a booted image.
        import pytest

        pytest.skip("network namespaces need root")
    _sweep()
    made: list[Namespace] = []
    try:
        for each in names:
            name = f"mq-{os.getpid()}-{next(_numbers)}-{each}"
            _ip("netns", "add", name)
            made.append(Namespace(name))
            made[-1].ip("link", "set", "lo", "up")
        yield made
    finally:
        for namespace in made:
            namespace.close()


def cable(one: Namespace, its: str, other: Namespace, others: str) -> None:
    """Connect two namespaces with a pair of interfaces that are up."""
    _ip("link", "add", its, "netns", one.name, "type", "veth", "peer", "name", others, "netns", other.name)
    one.ip("link", "set", its, "up")
    other.ip("link", "set", others, "up")


def _sweep() -> None:
    """Remove what a run that was killed left behind."""
    for path in _FOLDER.glob("mq-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, timeout=30, check=False)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
