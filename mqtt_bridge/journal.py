"""Transactions over dictionaries: the fakes of this project's rows undo, copy and restore what they hold with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")


class Journal:
    """How to undo what the open transaction changed; shared by all tables of one database in memory."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    @property
    def changed(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self._undo)

    def note(self, undo: Callable[[], object]) -> None:
        """Remember how to take back one change; the last one is taken back first."""
        self._undo.append(undo)

    def commit(self) -> None:
        """Keep everything."""
        self._undo.clear()

    def roll_back(self) -> None:
        """Take everything back."""
        self._back_to(0)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Take back what happens inside if it raises."""
        mark = len(self._undo)
        try:
            yield
        except BaseException:
            self._back_to(mark)
            raise

    def _back_to(self, mark: int) -> None:
        while len(self._undo) > mark:
            self._undo.pop()()


class Table(Generic[K, V]):
    """Rows by key. Values are never changed in place, so a copy of the dictionary is a snapshot."""

    def __init__(self, journal: Journal, rows: dict[K, V] | None = None) -> None:
        self._journal = journal
        self.rows: dict[K, V] = {} if rows is None else dict(rows)

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: D | None = None) -> V | D | None:
        """Return the row, or ``default``."""
        return self.rows.get(key, default)

    def put(self, key: K, row: V) -> None:
        """Insert or replace a row."""
        rows = self.rows
        if key in rows:
            before = rows[key]
            self._journal.note(lambda: rows.__setitem__(key, before))
        else:
            self._journal.note(lambda: rows.pop(key))
        rows[key] = row

    def drop(self, key: K) -> None:
        """Delete a row if it is there."""
        rows = self.rows
        if key in rows:
            before = rows.pop(key)
            self._journal.note(lambda: rows.__setitem__(key, before))
