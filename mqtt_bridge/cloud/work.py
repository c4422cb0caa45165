"""A working set: records read by need or ahead, changed in memory, written together at the end.

``fetch`` reads ahead in one query; ``get`` and ``where`` read what is missing by themselves, so reading ahead is only ever a
matter of speed. ``step`` undoes what happened inside if it raises.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from functools import cache
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from mqtt_bridge.cloud.records import KINDS, Record
from mqtt_bridge.cloud.rows import Lock, Rows

R = TypeVar("R", bound=Record)
Key = tuple[Any, ...]
# New records count down from here until the database numbers them; nothing stored comes near it.
UNNUMBERED = -(2**61)
Need = tuple[type[Record], str, object]
"""Records to read ahead: kind, column, value."""


class Work:
    """The records of one transaction."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._sheets: dict[type[Record], Sheet[Any]] = {}
        self._undo: list[Change] = []

    def of(self, kind: type[R]) -> Sheet[R]:
        """The records of one kind."""
        try:
            return self._sheets[kind]
        except KeyError:
            sheet = self._sheets[kind] = Sheet(kind, self.rows, self._undo)
            return sheet

    def fetch(self, needs: Iterable[Need]) -> None:
        """Read ahead in one go, with one query per kind and column."""
        wanted: defaultdict[tuple[type[Record], str], set[object]] = defaultdict(set)
        for kind, column, value in needs:
            wanted[kind, column].add(value)
        missing = ((kind, column, self.of(kind).unread(column, values)) for (kind, column), values in wanted.items())
        questions = [each for each in missing if each[2]]
        if questions:
            for (kind, *_), found in zip(questions, self.rows.gather(questions), strict=True):
                self.of(kind).take(found)

    def step(self) -> AbstractContextManager[None]:
        """Take back what changes inside if it raises."""
        return _Step(self._undo)

    def write(self) -> None:
        """Write every change, kind by kind; the set is not used afterwards."""
        changed = [self._sheets[kind] for kind in KINDS if kind in self._sheets and self._sheets[kind].changed]
        if changed:
            with self.rows.together():
                for each in changed:
                    each.write()
        self._undo.clear()  # it and the sheets hold each other: thousands of records would wait for the garbage collector


Change = tuple["Sheet[Any]", Key, Record | None]
"""What a key held before it was changed."""


@cache
def key_of(kind: type[Record]) -> Callable[[Record], Key]:
    """Return the function that gives a record's key."""
    if len(kind.KEY) > 1:
        return attrgetter(*kind.KEY)
    only = attrgetter(*kind.KEY)
    return lambda record: (only(record),)


class _Step:
    """Undoes changes made since it began; a class, because two begin for each message."""

    __slots__ = ("_mark", "_undo")

    def __init__(self, undo: list[Change]) -> None:
        self._undo = undo
        self._mark = len(undo)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            while len(self._undo) > self._mark:
                sheet, key, before = self._undo.pop()
                sheet.restore(key, before)


class Sheet(Generic[R]):
    """Records of one kind by key. Records of an index come in the order of their keys, new ones last."""

    def __init__(self, kind: type[R], rows: Rows, undo: list[Change]) -> None:
        self._kind = kind
        self._rows = rows
        self._undo = undo
        self._now: dict[Key, R] = {}
        self._then: dict[Key, R] = {}
        self._dirty: dict[Key, None] = {}
        self._read_keys: set[Key] = set()
        self._read_values: dict[str, set[object]] = {}
        self._index: dict[str, dict[object, dict[Key, None]]] = {}
        self._key = key_of(kind)
        self._serial = UNNUMBERED

    # --- reading

    def fetch(self, column: str, values: Collection[object]) -> None:
        """Read ahead what has one of these values."""
        self._read(column, values, None)

    def fetch_keys(self, keys: Iterable[Key]) -> None:
        """Read ahead by key."""
        self._read_by_key(keys, None)

    def lock(self, column: str, values: Collection[object], how: Lock) -> None:
        """Read and lock; call it before anything else reads these records."""
        self._read(column, values, how)

    def lock_keys(self, keys: Iterable[Key], how: Lock) -> None:
        """Read and lock by key; call it before anything else reads these records."""
        self._read_by_key(keys, how)

    def lock_changed(self) -> None:
        """Lock what is about to be changed, in the order of keys; whoever changes several locks them in this order."""
        keys = sorted(key for key in self._dirty if key in self._then)
        self._rows.lock(self._kind, self._kind.KEY, keys, Lock.CHANGE)

    def fetch_all(self) -> list[R]:
        """Read and return everything."""
        self.take(self._rows.all(self._kind))
        return list(self._now.values())

    def get(self, *key: Any) -> R | None:
        """Return the record under a key, None if there is none."""
        found = self._now.get(key)
        if found is None and key not in self._then:
            self._read_by_key((key,), None)
            found = self._now.get(key)
        return found

    def peek(self, *key: Any) -> R | None:
        """Return the record under a key if it was read or made, without reading it."""
        return self._now.get(key)

    def where(self, column: str, value: object) -> list[R]:
        """Return the records with this value."""
        known = self._read_values.get(column)
        if known is None or value not in known:
            self._read(column, (value,), None)
        index = self._index.get(column)
        keys = (self._indexed(column) if index is None else index).get(value)
        if not keys:
            return []
        now = self._now
        return [now[key] for key in keys]

    def unread(self, column: str, values: Collection[object]) -> Collection[object]:
        """Return the values that were not read yet; from now on they count as read."""
        known = self._read_values.setdefault(column, set())
        if known.issuperset(values):
            return ()
        missing = set(values) - known
        known |= missing
        return missing

    def _read(self, column: str, values: Collection[object], how: Lock | None) -> None:
        if missing := self.unread(column, values):
            self._load((column,), [(each,) for each in missing], how)

    def _read_by_key(self, keys: Iterable[Key], how: Lock | None) -> None:
        columns = self._kind.KEY
        if len(columns) == 1:
            self._read(columns[0], [each for (each,) in keys], how)
        elif missing := set(keys) - self._read_keys:
            self._read_keys |= missing
            if how is None:
                missing = {each for each in missing if not self._covered(each)}
            self._load(columns, missing, how)

    def _covered(self, key: Key) -> bool:
        """Whether all records that have one of this key's values were read."""
        read = self._read_values
        return any(value in read[column] for column, value in zip(self._kind.KEY, key, strict=True) if column in read)

    def _load(self, columns: tuple[str, ...], values: Collection[Key], how: Lock | None) -> None:
        if how is None:
            self.take(self._rows.find(self._kind, columns, values))
        else:
            self.take(self._rows.lock(self._kind, columns, values, how))

    def take(self, records: Iterable[R]) -> None:
        """Add what was read; what is here already is newer."""
        for record in records:
            key = self._key(record)
            if key not in self._then and key not in self._now:
                self._then[key] = self._now[key] = record
                self._note(key, None, record)

    # --- changing

    def add(self, record: R) -> R:
        """Add a record that is not there."""
        if self._kind.SERIAL is not None:
            self._serial -= 1
            record = msgspec.structs.replace(record, **{self._kind.SERIAL: self._serial})
        self._set(self._key(record), record)
        return record

    def change(self, record: R, **values: Any) -> R:
        """Return the next version of a record; its key does not change."""
        changed = msgspec.structs.replace(record, **values)
        self._set(self._key(record), changed)
        return changed

    def remove(self, record: R) -> None:
        """Remove a record."""
        self._set(self._key(record), None)

    def restore(self, key: Key, before: R | None) -> None:
        """Put back what was there before a change."""
        now = self._now.get(key)
        if before is None:
            del self._now[key]
        else:
            self._now[key] = before
        self._note(key, now, before)

    def _set(self, key: Key, record: R | None) -> None:
        before = self._now.get(key)
        self._undo.append((self, key, before))
        if record is None:
            self._now.pop(key, None)
        else:
            self._now[key] = record
        self._dirty[key] = None
        self._note(key, before, record)

    def _note(self, key: Key, before: R | None, after: R | None) -> None:
        for column, index in self._index.items():
            old = getattr(before, column) if before is not None else None
            new = getattr(after, column) if after is not None else None
            if before is not None and (after is None or old != new):
                index.get(old, {}).pop(key, None)
            if after is not None and (before is None or old != new):
                index.setdefault(new, {})[key] = None

    def _indexed(self, column: str) -> dict[object, dict[Key, None]]:
        index = self._index[column] = {}
        for key, record in self._now.items():
            index.setdefault(getattr(record, column), {})[key] = None
        return index

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._dirty)

    def added(self) -> list[R]:
        """The records that are new."""
        return [self._now[key] for key in self._added()]

    def _added(self) -> list[Key]:
        keys = [key for key in self._dirty if key in self._now and key not in self._then]
        return keys if self._kind.SERIAL else sorted(keys)

    def write(self) -> None:
        """Write what changed: what is gone, what is different and what is new, each in the order of keys."""
        if not self._dirty:
            return
        then, now = self._then, self._now
        gone = [then[key] for key in self._dirty if key in then and key not in now]
        new = [now[key] for key in self._added()]
        changed = sorted(key for key in self._dirty if key in now and key in then and now[key] != then[key])
        if gone:
            self._rows.delete(gone)
        if changed:
            self._rows.update([(then[key], now[key]) for key in changed])
        if new:
            self._rows.insert(new)
        self._dirty.clear()
