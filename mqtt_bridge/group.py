"""Group commit: threads that wait for the one write transaction share its flush.

The first thread to come leads: it opens the transaction, runs its own function and then those that queued meanwhile, each in
a savepoint and in its caller's context, commits once, and only then lets everybody return. While it flushes the next group queues.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

LARGEST = 64
# Other processes wait for the same lock: after this long a group takes nobody else in.
OPEN_S = 0.02


class _Job:
    """One function of one caller: waits for its ``turn``, which is either that it is done or that it leads."""

    def __init__(self, fn: Callable[[Connection], Any]) -> None:
        self.turn = threading.Event()
        self.done = False
        self.error: BaseException | None = None
        self.result: Any = None
        self._fn = fn
        self._context = contextvars.copy_context()

    def run(self, db: Connection) -> None:
        self.result = self._context.run(self._fn, db)

    def run_beside_others(self, db: Connection) -> None:
        """Undo and remember what it raises, so that the rest of the group stays."""
        savepoint = db.begin_nested()
        try:
            self.run(db)
        except BaseException as error:  # noqa: BLE001  raised again in the thread of its caller
            self.error = error
            savepoint.rollback()
        else:
            savepoint.commit()


class GroupCommit:
    """Runs functions in write transactions made by ``write``, as many in one as were waiting."""

    def __init__(self, write: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._write = write
        self._mutex = threading.Lock()
        self._queue: deque[_Job] = deque()
        self._leader: int | None = None

    def run(self, fn: Callable[[Connection], T]) -> T:
        """Return what ``fn`` returned, after COMMIT. What it raises undoes its own rows only; a failed COMMIT raises in all."""
        job = _Job(fn)
        with self._mutex:
            if self._leader == threading.get_ident():
                msg = "a transaction is open in this thread; pass it on instead of opening another"
                raise RuntimeError(msg)
            leads = self._leader is None
            if leads:
                self._leader = threading.get_ident()
            else:
                self._queue.append(job)
        if not leads:
            self._wait(job)
        if not job.done:
            self._lead(job)
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def _wait(self, job: _Job) -> None:
        try:
            job.turn.wait()
        except BaseException:  # interrupted: nobody must wait for this thread
            with self._mutex:
                queued = job in self._queue
                if queued:
                    self._queue.remove(job)
            if not queued and job.turn.is_set() and not job.done:
                self._resign([])
            raise

    def _lead(self, own: _Job) -> None:
        with self._mutex:
            self._leader = threading.get_ident()
        group = [own]
        try:
            self._transact(group)
        except BaseException as error:  # noqa: BLE001  what ended the transaction ended it for everybody in it
            for job in group:
                job.error = job.error or error
        finally:
            self._resign(group)

    def _transact(self, group: list[_Job]) -> None:
        with self._write() as db:
            until = time.monotonic() + OPEN_S
            group[0].run(db)
            while len(group) < LARGEST and time.monotonic() < until and (job := self._next()) is not None:
                group.append(job)
                job.run_beside_others(db)

    def _next(self) -> _Job | None:
        with self._mutex:
            return self._queue.popleft() if self._queue else None

    def _resign(self, group: list[_Job]) -> None:
        """Let the group return, and the first that waits lead the next one."""
        with self._mutex:
            following = self._queue.popleft() if self._queue else None
            # Until it runs, leadership belongs to a thread that cannot be anybody's.
            self._leader = None if following is None else -1
            if following is not None:
                following.turn.set()
        for job in group:
            job.done = True
            job.turn.set()
