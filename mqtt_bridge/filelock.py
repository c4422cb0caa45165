"""A lock between processes and threads: re-entrant in its thread, fair between processes, freed by the kernel on a crash."""

from __future__ import annotations

import fcntl
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 30.0
_POLL_S = 0.0003


class LockTimeout(TimeoutError):
    """Another process or thread kept the lock for longer than the caller's patience."""


class FileLock:
    """Two ``flock`` files: whoever wants ``<path>`` first passes ``<path>.queue``.

    A process that writes in a tight loop would otherwise take the lock again before a waiting process wakes up. ``flock``
    belongs to the open file, which all threads share, hence the thread lock around it.
    """

    def __init__(self, path: Path, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self.patience_s = patience_s
        self._threads = threading.RLock()
        self._depth = 0
        self._held = _open(path)
        self._queue = _open(path.with_name(path.name + ".queue"))
        # Closed with the last reference and not before: a connection that is still in use takes the lock to close.
        self._close = weakref.finalize(self, _close, self._held, self._queue)
        self._close.atexit = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the lock; raises ``LockTimeout`` with nothing held."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def acquire(self) -> None:
        """Take the lock, once more if this thread has it already."""
        if not self._threads.acquire(timeout=self.patience_s):
            self._give_up()
        try:
            if self._depth == 0:
                self._pass_queue()
            self._depth += 1
        except BaseException:
            self._threads.release()
            raise

    def release(self) -> None:
        """Undo one ``acquire`` of this thread."""
        self._depth -= 1
        if self._depth == 0:
            fcntl.flock(self._held, fcntl.LOCK_UN)
        self._threads.release()

    def contended(self) -> bool:
        """Tell the holder whether another process waits for this lock."""
        try:
            fcntl.flock(self._queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._queue, fcntl.LOCK_UN)
        return False

    def forget(self) -> None:
        """Close the files, in a forked child: the parent's lock stays the parent's."""
        self._close()

    def _pass_queue(self) -> None:
        deadline = time.monotonic() + self.patience_s
        self._wait_for(self._queue, deadline)
        try:
            self._wait_for(self._held, deadline)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def _wait_for(self, descriptor: int, deadline: float) -> None:
        # Polled, because flock has no timeout and an interrupted one needs signals that threads cannot have.
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self._give_up()
                time.sleep(_POLL_S)
            else:
                return

    def _give_up(self) -> None:
        msg = f"{self.path} was held by others for {self.patience_s:g} s; look for a process that hangs in a write"
        raise LockTimeout(msg)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
