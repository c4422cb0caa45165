"""The reconciler's rows in tables: one statement for many records, on PostgreSQL with an array per column.

Statements are plain text, made once per kind: on PostgreSQL all values of a column travel as one array parameter, on SQLite
lists to look up travel as JSON. Both keep the text the same however many records there are, so it is prepared once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec.structs import astuple
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.arrays import columns_of
from mqtt_bridge.cloud.driver import Driver
from mqtt_bridge.cloud.outboxes import SqlOutboxes
from mqtt_bridge.cloud.records import Record
from mqtt_bridge.cloud.rows import Figures, Lock, Outboxes, Question, Rows
from mqtt_bridge.cloud.work import key_of
from mqtt_bridge.database import Database
from mqtt_bridge.filelock import LockTimeout
from mqtt_bridge.mailbox import tables as mailbox
from mqtt_bridge.mailbox.rows import Mail
from mqtt_bridge.mailbox.sql import SqlMail

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class SqlStore:
    """A ``rows.Store`` over a database."""

    failures: tuple[type[Exception], ...] = (SQLAlchemyError, LockTimeout, OSError)
    # OverflowError is how SQLite's driver refuses a number over 64 bits, UnicodeError a text that is none.
    indigestible: tuple[type[Exception], ...] = (DataError, IntegrityError, OverflowError, UnicodeError)

    def __init__(self, database: Database) -> None:
        self.database = database

    def run(self, change: Callable[[Rows], T]) -> T:
        return self.database.run(lambda db: change(SqlRows(db)))

    def look(self, query: Callable[[Rows], T]) -> T:
        with self.database.read() as db:
            return query(SqlRows(db))


class SqlRows:
    """The rows of one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._driver = Driver(db) if db.dialect.name == "postgresql" else None

    @property
    def mail(self) -> Mail:
        return SqlMail(self._db)

    @property
    def outboxes(self) -> Outboxes:
        return SqlOutboxes(self._db, self._driver)

    def find(self, kind: type[R], columns: tuple[str, ...], values: Collection[tuple[Any, ...]]) -> list[R]:
        return self._select(kind, columns, values, "")

    def gather(self, questions: Sequence[Question]) -> list[list[Record]]:
        asked = [(kind, (column,), [(each,) for each in values]) for kind, column, values in questions]
        if self._driver is None:
            return [list(self.find(*each)) for each in asked]
        queries = [(_select(kind, columns, ""), columns_of(values)) for kind, columns, values in asked]
        found = self._driver.answers(queries)
        return [[kind(*row) for row in rows] for (kind, *_), rows in zip(questions, found, strict=True)]

    def lock(self, kind: type[R], columns: tuple[str, ...], values: Collection[tuple[Any, ...]], how: Lock) -> list[R]:
        return self._select(kind, columns, values, f" {how.value} OF r")

    def _select(
        self, kind: type[R], columns: tuple[str, ...], values: Collection[tuple[Any, ...]], lock: str
    ) -> list[R]:
        if not values:
            return []
        if self._driver is None:
            listed = {"v": json.dumps([list(each) for each in values])}
            return [kind(*row) for row in self._db.execute(_select_on_sqlite(kind, columns), listed).all()]
        return [kind(*row) for row in self._driver.rows(_select(kind, columns, lock), columns_of(values))]

    def all(self, kind: type[R]) -> list[R]:
        if self._driver is None:
            return [kind(*row) for row in self._db.execute(_select_all_on_sqlite(kind)).all()]
        return [kind(*row) for row in self._driver.rows(_select_all(kind), ())]

    def after(self, kind: type[R], key: tuple[Any, ...], limit: int) -> list[R]:
        if self._driver is None:
            values = {f"k{place}": each for place, each in enumerate(key)}
            return [kind(*row) for row in self._db.execute(_select_after_on_sqlite(kind), {**values, "most": limit})]
        return [kind(*row) for row in self._driver.rows(_select_after(kind), [*key, limit])]

    def together(self) -> AbstractContextManager[None]:
        return nullcontext() if self._driver is None else self._driver.together()

    def insert(self, records: Sequence[Record]) -> None:
        kind = type(records[0])
        names = _inserted(kind)
        values = list(map(_values(names), records))
        if self._driver is None:
            self._db.execute(_insert_on_sqlite(kind), _named(values))
        else:
            self._driver.run(_insert(kind), columns_of(values))

    def update(self, pairs: Sequence[tuple[R, R]]) -> None:
        kind = type(pairs[0][0])
        same: dict[tuple[str, ...], list[R]] = {}
        for before, after in pairs:
            both = zip(kind.__struct_fields__, astuple(before), astuple(after), strict=True)
            names = tuple([name for name, old, new in both if old != new])
            same.setdefault(names, []).append(after)
        for names, records in same.items():
            values = list(map(_values((*kind.KEY, *names)), records))
            if self._driver is None:
                self._db.execute(_update_on_sqlite(kind, names), _named(values))
            else:
                self._driver.run(_update(kind, names), columns_of(values))

    def delete(self, records: Sequence[Record]) -> None:
        kind = type(records[0])
        values = list(map(key_of(kind), records))
        if self._driver is None:
            self._db.execute(_delete_on_sqlite(kind), _named(values))
        else:
            self._driver.run(_delete(kind), columns_of(values))

    def count(self, kind: type[Record], column: str, value: object) -> int:
        table = _table(kind)
        counted = sa.select(sa.func.count()).select_from(table).where(table.c[column] == value)
        return int(self._db.execute(counted).scalar_one())

    def figures(self) -> list[Figures]:
        return [Figures(*row) for row in self._db.execute(_FIGURES)]

    def bump_keys(self) -> None:
        self._db.execute(sa.update(t.cloud).values(keys_revision=t.cloud.c.keys_revision + 1))

    def untold(self, limit: int) -> list[str]:
        c = t.device.c
        untold = sa.select(c.name).where(c.state_at_ms == 0, c.inc.is_not(None)).order_by(c.name).limit(limit)
        return list(self._db.execute(untold).scalars())

    def addressees(self, limit: int) -> list[str]:
        c = t.letter.c
        return list(self._db.execute(sa.select(c.device).distinct().order_by(c.device).limit(limit)).scalars())


_A = t.allocation.c
_UNSOLD = _A.granted - _A.returned - _A.sold + _A.cancelled
_ASKED = sa.select(sa.func.sum(t.asked.c.quantity)).where(t.asked.c.quota == _A.quota).scalar_subquery()
_FIGURES = (
    sa.select(
        _A.quota,
        sa.cast(sa.func.sum(_A.granted - _A.returned + _A.confirmed), sa.BigInteger),
        sa.cast(sa.func.sum(sa.case((_UNSOLD > 0, _UNSOLD), else_=0)), sa.BigInteger),
        sa.cast(sa.func.coalesce(_ASKED, 0), sa.BigInteger),
    )
    .group_by(_A.quota)
    .order_by(_A.quota)
)


@cache
def _values(names: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    """Return the function that gives these fields of a record."""
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda record: (get(record),)


def _named(rows: Collection[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [{f"v{place}": each for place, each in enumerate(row)} for row in rows]


def _table(kind: type[Record]) -> sa.Table:
    return t.metadata.tables.get(kind.TABLE, mailbox.metadata.tables.get(kind.TABLE))  # type: ignore[return-value]


def _array(column: sa.Column[Any]) -> str:
    """The parameter of a column's values on PostgreSQL, as an array of its type."""
    types: list[tuple[type, str]] = [
        (sa.Boolean, "boolean"),
        (sa.BigInteger, "bigint"),
        (sa.Integer, "integer"),
        (sa.Float, "double precision"),
        (sa.LargeBinary, "bytea"),
        (sa.String, "text"),
    ]
    name = next(name for type_, name in types if isinstance(column.type, type_))
    return f"CAST(%s AS {name}[])"


def _columns(kind: type[Record]) -> str:
    return ", ".join(f'r."{name}"' for name in kind.__struct_fields__)


def _unnest(kind: type[Record], names: Sequence[str]) -> str:
    table = _table(kind)
    arrays = ", ".join(_array(table.c[name]) for name in names)
    return f"unnest({arrays}) AS v({', '.join(f'v{place}' for place in range(len(names)))})"


def _matched(names: Sequence[str]) -> str:
    return " AND ".join(f'r."{name}" = v.v{place}' for place, name in enumerate(names))


def _order(kind: type[Record]) -> str:
    return ", ".join(f'r."{name}"' for name in kind.KEY)


def _typed(kind: type[Record], text: str) -> sa.TextClause:
    """A query whose booleans come as such from SQLite too."""
    table = _table(kind)
    return sa.text(text).columns(*[table.c[name] for name in kind.__struct_fields__])  # type: ignore[return-value]


@cache
def _select(kind: type[Record], columns: tuple[str, ...], lock: str) -> str:
    join = f"JOIN {_unnest(kind, columns)} ON {_matched(columns)}"
    return f'SELECT {_columns(kind)} FROM "{kind.TABLE}" AS r {join} ORDER BY {_order(kind)}{lock}'


@cache
def _select_on_sqlite(kind: type[Record], columns: tuple[str, ...]) -> sa.TextClause:
    values = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(columns)))
    left = ", ".join(f'r."{name}"' for name in columns)
    where = (
        f"({left}) IN (SELECT {values} FROM json_each(:v))"
        if len(columns) > 1
        else f"{left} IN (SELECT {values} FROM json_each(:v))"
    )
    return _typed(kind, f'SELECT {_columns(kind)} FROM "{kind.TABLE}" AS r WHERE {where} ORDER BY {_order(kind)}')


@cache
def _select_all(kind: type[Record]) -> str:
    return f'SELECT {_columns(kind)} FROM "{kind.TABLE}" AS r ORDER BY {_order(kind)}'


@cache
def _select_all_on_sqlite(kind: type[Record]) -> sa.TextClause:
    return _typed(kind, _select_all(kind))


@cache
def _select_after(kind: type[Record]) -> str:
    key = ", ".join(["%s"] * len(kind.KEY))
    where = f"({_order(kind)}) > ({key}) ORDER BY {_order(kind)} LIMIT %s"
    return f'SELECT {_columns(kind)} FROM "{kind.TABLE}" AS r WHERE {where}'


@cache
def _select_after_on_sqlite(kind: type[Record]) -> sa.TextClause:
    names = [*(f":k{place}" for place in range(len(kind.KEY))), ":most"]
    return _typed(kind, _select_after(kind) % tuple(names))


def _into(kind: type[Record], names: Sequence[str]) -> str:
    return f'INSERT INTO "{kind.TABLE}" ({", ".join(_quoted(name) for name in names)})'


def _inserted(kind: type[Record]) -> tuple[str, ...]:
    """The columns a new row is given; the database numbers the other."""
    return tuple(name for name in kind.__struct_fields__ if name != kind.SERIAL)


@cache
def _insert(kind: type[Record]) -> str:
    names, table = _inserted(kind), _table(kind)
    arrays = ", ".join(_array(table.c[name]) for name in names)
    given = ", ".join(f"v{place}" for place in range(len(names)))
    source = f"unnest({arrays}) WITH ORDINALITY AS v({given}, place)"
    return f"{_into(kind, names)} SELECT {given} FROM {source} ORDER BY v.place"


@cache
def _insert_on_sqlite(kind: type[Record]) -> sa.TextClause:
    names = _inserted(kind)
    return sa.text(f"{_into(kind, names)} VALUES ({', '.join(f':v{place}' for place in range(len(names)))})")


@cache
def _update(kind: type[Record], names: tuple[str, ...]) -> str:
    first = len(kind.KEY)
    changes = ", ".join(f"{_quoted(name)} = v.v{first + place}" for place, name in enumerate(names))
    source = f"FROM {_unnest(kind, [*kind.KEY, *names])} WHERE {_matched(kind.KEY)}"
    return f'UPDATE "{kind.TABLE}" AS r SET {changes} {source}'


@cache
def _update_on_sqlite(kind: type[Record], names: tuple[str, ...]) -> sa.TextClause:
    first = len(kind.KEY)
    changes = ", ".join(f"{_quoted(name)} = :v{first + place}" for place, name in enumerate(names))
    return sa.text(f'UPDATE "{kind.TABLE}" SET {changes} WHERE {_keyed(kind)}')


@cache
def _delete(kind: type[Record]) -> str:
    return f'DELETE FROM "{kind.TABLE}" AS r USING {_unnest(kind, kind.KEY)} WHERE {_matched(kind.KEY)}'


@cache
def _delete_on_sqlite(kind: type[Record]) -> sa.TextClause:
    return sa.text(f'DELETE FROM "{kind.TABLE}" WHERE {_keyed(kind)}')


def _keyed(kind: type[Record]) -> str:
    return " AND ".join(f"{_quoted(name)} = :v{place}" for place, name in enumerate(kind.KEY))


def _quoted(name: str) -> str:
    return f'"{name}"'
