"""Group commit: threads that wait for the one write transaction share its flush.

The first thread to come leads: it opens the transaction, runs its own function and then those that queued meanwhile, each in
a savepoint and in its caller's context, commits once, and only then lets everybody return. While it flushes the next group queues.
A flush is dearest on a card: where several write all the time, a group waits some milliseconds for those of the last one, who are
about to come back. A client alone never waits.
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

LARGEST = 32
# How long a group takes others in: not long while another process, such as the desk with a scan, waits for the same lock.
# Otherwise for as long as the last to come is worth to the first, who waits for the same COMMIT.
OPEN_S, OPEN_ALONE_S = 0.04, 0.2
# Who was in the last group will probably write again: a group waits this long for the next of them. Meanwhile they run.
GATHER_S = 0.004


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
        # By the driver: SQLAlchemy's own savepoints cost more than some of the work inside. If SQLite itself undid the transaction
        # (a full disk), both statements raise, and the whole group has failed.
        driver: Any = db.connection.driver_connection
        driver.execute("SAVEPOINT member")
        try:
            self.run(db)
        except BaseException as error:  # noqa: BLE001  raised again in the thread of its caller
            self.error = error
            driver.execute("ROLLBACK TO member")
        driver.execute("RELEASE member")


class GroupCommit:
    """Runs functions in write transactions made by ``write``, as many in one as were waiting.

    ``wanted`` tells, inside such a transaction, whether another process waits to write.
    """

    def __init__(self, write: Callable[[], AbstractContextManager[Connection]], wanted: Callable[[], bool]) -> None:
        self._write, self._wanted = write, wanted
        self._mutex = threading.Lock()
        self._came = threading.Condition(self._mutex)
        self._expected = 0
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
                self._came.notify()
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
            opened_s = time.monotonic()
            group[0].run(db)
            while len(group) < LARGEST and self._stays_open(opened_s) and (job := self._next(len(group))) is not None:
                group.append(job)
                job.run_beside_others(db)
        self._expected = max(len(group), self._expected - 1)

    def _stays_open(self, opened_s: float) -> bool:
        open_s = time.monotonic() - opened_s
        return open_s < OPEN_S or (open_s < OPEN_ALONE_S and not self._wanted())

    def _next(self, so_far: int) -> _Job | None:
        with self._mutex:
            if not self._queue and so_far < self._expected:
                self._came.wait(GATHER_S)
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
