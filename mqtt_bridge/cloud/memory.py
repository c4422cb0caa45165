"""The reconciler's rows in dictionaries: for the simulator and for tests of rules. A transaction is undone by its journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import Any, TypeVar

import msgspec

from mqtt_bridge.cloud.records import KINDS, Asked, CatalogueVersion, Cloud, Device, Letter, Line, Quota, Record
from mqtt_bridge.cloud.rows import Figures, Head, Lock, Outboxes, Question, Rows, Want
from mqtt_bridge.cloud.work import key_of
from mqtt_bridge.journal import Journal, Table
from mqtt_bridge.mailbox.memory import MemoryMail
from mqtt_bridge.mailbox.rows import Mail, Outgoing
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import Ack

R = TypeVar("R", bound=Record)
T = TypeVar("T")
Key = tuple[Any, ...]

# Columns that are asked for often; the rest is looked through.
INDEXED = ("device", "about", "order_id", "ticket", "quota", "venue", "entry", "peer")


class MemoryStore:
    """A ``rows.Store`` without a database, for one thread. ``failing`` makes the next commit fail, as a database would."""

    failures: tuple[type[Exception], ...] = (OSError,)
    indigestible: tuple[type[Exception], ...] = ()

    def __init__(self) -> None:
        self.journal = Journal()
        self.rows = MemoryRows(self.journal)
        self.failing = False
        self.commits = 0

    def run(self, change: Callable[[Rows], T]) -> T:
        try:
            result = change(self.rows)
            if self.failing:
                raise OSError("the database does not take it")
        except BaseException:
            self.journal.roll_back()
            raise
        self.commits += self.journal.changed
        self.journal.commit()
        return result

    def look(self, query: Callable[[Rows], T]) -> T:
        return query(self.rows)

    def found(self, catalogue: Catalogue, inc: str = "1.memory") -> None:
        """Name the cloud and give it a catalogue with its quotas."""
        document = encode(msgspec.structs.replace(catalogue, version=1))
        quotas = [Quota(each.id, at.id, each.name, each.limit, each.extra) for _, at, each in catalogue.quota.values()]

        def first(rows: Rows) -> None:
            rows.insert([Cloud(1, 1, inc, 1, 0, "")])
            rows.insert([CatalogueVersion(1, document)])
            rows.insert(quotas)

        self.run(first)

    def register(self, name: str, venue: str, wall_ms: int) -> None:
        """Let a device speak for a venue; the first one of a venue is its door."""

        def register(rows: Rows) -> None:
            door = not rows.find(Device, ("venue",), [(venue,)])
            rows.insert([Device(name, venue, "registered", door, wall_ms)])

        self.run(register)

    def copy(self) -> MemoryStore:
        """A backup, as of the last commit."""
        twin = MemoryStore()
        twin.rows = self.rows.copy(twin.journal)
        return twin


class _Index:
    """Keys by the value of a column."""

    def __init__(self, column: str, journal: Journal) -> None:
        self.column = column
        self.keys: dict[object, dict[Key, None]] = {}
        self._journal = journal

    def move(self, key: Key, before: Record | None, after: Record | None) -> None:
        """Follow a change of a row."""
        old = (getattr(before, self.column),) if before is not None else ()
        new = (getattr(after, self.column),) if after is not None else ()
        if old != new:
            self._move(key, old, new)
            self._journal.note(lambda: self._move(key, new, old))

    def _move(self, key: Key, old: Key, new: Key) -> None:
        for value in old:
            del self.keys[value][key]
        for value in new:
            self.keys.setdefault(value, {})[key] = None

    def copy(self, journal: Journal) -> _Index:
        twin = _Index(self.column, journal)
        twin.keys = {value: dict(keys) for value, keys in self.keys.items()}
        return twin


class MemoryRows:
    """The rows of a ``MemoryStore``."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._mail = MemoryMail(journal)
        self._tables: dict[type[Record], Table[Key, Any]] = {kind: Table(journal) for kind in KINDS}
        self._indexes: dict[type[Record], list[_Index]] = {
            kind: [
                _Index(column, journal)
                for column in INDEXED
                if column in kind.__struct_fields__ and (column,) != kind.KEY
            ]
            for kind in KINDS
        }
        self._serials: Table[str, int] = Table(journal)

    def copy(self, journal: Journal) -> MemoryRows:
        twin = MemoryRows(journal)
        twin._mail = self._mail.copy(journal)
        for kind, table in self._tables.items():
            twin._tables[kind].rows.update(table.rows)
        twin._indexes = {kind: [each.copy(journal) for each in indexes] for kind, indexes in self._indexes.items()}
        twin._serials.rows.update(self._serials.rows)
        return twin

    @property
    def mail(self) -> Mail:
        return self._mail

    @property
    def outboxes(self) -> Outboxes:
        return _Outboxes(self)

    def find(self, kind: type[R], columns: tuple[str, ...], values: Collection[tuple[Any, ...]]) -> list[R]:
        rows: dict[Key, R] = self._tables[kind].rows
        if columns == kind.KEY:
            return [rows[key] for key in sorted(key for key in values if key in rows)]
        index = next((each for each in self._indexes[kind] if (each.column,) == columns), None)
        if index is not None:
            keys = (index.keys[value] for (value,) in values if value in index.keys)
            return [rows[key] for key in sorted(chain.from_iterable(keys))]
        found = [key for key, row in rows.items() if tuple(getattr(row, each) for each in columns) in values]
        return [rows[key] for key in sorted(found)]

    def gather(self, questions: Sequence[Question]) -> list[list[Record]]:
        return [list(self.find(kind, (column,), [(each,) for each in values])) for kind, column, values in questions]

    def lock(self, kind: type[R], columns: tuple[str, ...], values: Collection[tuple[Any, ...]], how: Lock) -> list[R]:
        return self.find(kind, columns, values)

    def all(self, kind: type[R]) -> list[R]:
        rows: dict[Key, R] = self._tables[kind].rows
        return [rows[key] for key in sorted(rows)]

    def after(self, kind: type[R], key: tuple[Any, ...], limit: int) -> list[R]:
        rows: dict[Key, R] = self._tables[kind].rows
        return [rows[each] for each in sorted(each for each in rows if each > key)[:limit]]

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def insert(self, records: Sequence[Record]) -> None:
        for record in records:
            key = _key(self._numbered(record))
            self._put(key, None, self._numbered_as(record, key))

    def _numbered(self, record: Record) -> Record:
        if record.SERIAL is None:
            return record
        number = self._serials.get(record.TABLE, 0) + 1
        self._serials.put(record.TABLE, number)
        return msgspec.structs.replace(record, **{record.SERIAL: number})

    @staticmethod
    def _numbered_as(record: Record, key: Key) -> Record:
        return record if record.SERIAL is None else msgspec.structs.replace(record, **{record.SERIAL: key[0]})

    def update(self, pairs: Sequence[tuple[R, R]]) -> None:
        for before, after in pairs:
            key = _key(before)
            stored = self._tables[type(before)].rows[key]
            if stored is before:
                self._put(key, stored, after)
                continue
            names = [name for name in before.__struct_fields__ if getattr(before, name) != getattr(after, name)]
            changed = {name: getattr(after, name) for name in names}
            self._put(key, stored, msgspec.structs.replace(stored, **changed))

    def delete(self, records: Sequence[Record]) -> None:
        for record in records:
            self._put(_key(record), self._tables[type(record)].get(_key(record)), None)

    def _put(self, key: Key, before: Record | None, after: Record | None) -> None:
        some = after if after is not None else before
        if some is None:
            return
        kind = type(some)
        if after is None:
            self._tables[kind].drop(key)
        else:
            if before is None and key in self._tables[kind].rows:
                raise ValueError(f"{kind.__name__} {key} is there already")
            self._tables[kind].put(key, after)
        for index in self._indexes[kind]:
            index.move(key, before, after)

    def count(self, kind: type[Record], column: str, value: object) -> int:
        return sum(getattr(row, column) == value for row in self._tables[kind].rows.values())

    def figures(self) -> list[Figures]:
        sums: dict[str, tuple[int, int]] = {}
        for line in self._tables[Line].rows.values():
            out, unsold = sums.get(line.quota, (0, 0))
            sums[line.quota] = (out + line.granted - line.returned + line.confirmed, unsold + max(0, line.unsold))
        asked: dict[str, int] = {}
        for each in self._tables[Asked].rows.values():
            asked[each.quota] = asked.get(each.quota, 0) + each.quantity
        return [Figures(quota, *sums[quota], asked.get(quota, 0)) for quota in sorted(sums)]

    def bump_keys(self) -> None:
        (cloud,) = self.all(Cloud)
        self.update([(cloud, msgspec.structs.replace(cloud, keys_revision=cloud.keys_revision + 1))])

    def untold(self, limit: int) -> list[str]:
        return [each.name for each in self.all(Device) if each.state_at_ms == 0 and each.inc is not None][:limit]

    def addressees(self, limit: int) -> list[str]:
        return sorted({each.device for each in self._tables[Letter].rows.values()})[:limit]


class _Outboxes:
    """The outboxes of all devices."""

    def __init__(self, rows: MemoryRows) -> None:
        self._rows = rows
        self._mail = rows._mail  # noqa: SLF001  a part of it

    def heads(self) -> list[Head]:
        left = self._mail.addressees
        linked = [each.name for each in self._rows.all(Device) if each.link_up and each.name in left]
        return [
            Head(name, inc, acked + 1, self._mail.unacked(name, inc, limit=1)[0].created_at_ms)
            for name in linked
            for inc, acked in self._mail.streams(name).items()
        ]

    def unacked(self, wants: Sequence[Want]) -> list[tuple[str, Outgoing]]:
        return [
            (each.peer, row) for each in wants for row in self._mail.unacked(each.peer, each.inc, each.after, each.room)
        ]

    def acknowledge(self, acks: Sequence[tuple[str, Ack]], wall_ms: int) -> None:
        for peer, ack in acks:
            self._mail.acknowledge(peer, ack, wall_ms)

    def owing(self, peers: Collection[str], kind: str) -> set[str]:
        return {
            peer
            for peer in peers
            for inc, acked in self._mail.streams(peer).items()
            if any(each.kind == kind for each in self._mail.unacked(peer, inc, acked))
        }

    def last_seqs(self, peers: Collection[str], inc: str) -> dict[str, int]:
        return {each: self._mail.last_seq(each, inc) for each in peers}

    def post(self, rows: Sequence[tuple[str, Outgoing]]) -> None:
        for peer, row in rows:
            self._mail.put(peer, row)


_KEY_OF = {kind: key_of(kind) for kind in KINDS}


def _key(record: Record) -> Key:
    return _KEY_OF[type(record)](record)
