"""Statements of the hot path: on SQLite they go to the driver as text that was compiled once.

SQLAlchemy's way of executing costs many times what SQLite itself needs for a row found by its key, and a booking reads some forty
times and writes ten; on a small board that is half of it. On PostgreSQL, where a round trip costs more than either, nothing changes.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Boolean, Connection, Delete, Insert, Integer, LargeBinary, Row, Select, String, Update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.selectable import CompoundSelect

_DIALECT = sqlite.dialect()
Query = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
# What SQLite's driver gives for these is what SQLAlchemy would give; a Boolean is a number there.
_PLAIN = (String, Integer, LargeBinary)


class _Plan(NamedTuple):
    """Text and order of parameters for one set of list lengths; ``fixed`` are values that belong to the statement."""

    text: str
    order: Sequence[str]
    fixed: dict[str, Any]
    lists: dict[str, list[str]]


class Prepared:
    """A SELECT that never changes; parameters are the names of its ``bindparam``, lists those that are ``expanding``.

    Rows have their columns as attributes and by position, as SQLAlchemy's have. What fails raises SQLAlchemy's errors.
    """

    def __init__(self, statement: Query) -> None:
        self.statement = statement
        self._compiled: Any = statement.compile(dialect=_DIALECT)
        self._plans: dict[tuple[int, ...], _Plan] = {}
        self._row = _row_maker(statement)

    def all(self, db: Connection, **values: Any) -> list[Row[Any]]:
        """Return every row."""
        if db.dialect.name != "sqlite":
            return list(db.execute(self.statement, values))
        make = self._row
        return [make(each) for each in self._run(db, values).fetchall()]

    def first(self, db: Connection, **values: Any) -> Row[Any] | None:
        """Return the first row, or None."""
        if db.dialect.name != "sqlite":
            return db.execute(self.statement, values).first()
        found = self._run(db, values).fetchone()
        return None if found is None else self._row(found)

    def scalar(self, db: Connection, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        found = self.first(db, **values)
        return None if found is None else found[0]

    def scalars(self, db: Connection, **values: Any) -> list[Any]:
        """Return the first column of every row."""
        return [row[0] for row in self.all(db, **values)]

    def _run(self, db: Connection, values: dict[str, Any]) -> sqlite3.Cursor:
        lengths = tuple(len(each) for each in values.values() if isinstance(each, list))
        plan = self._plans.get(lengths) or self._plan(lengths, values)
        given = plan.fixed | values
        for name, expanded in plan.lists.items():
            given.update(zip(expanded, values[name], strict=True))
        return _execute(db, plan, given)

    def _plan(self, lengths: tuple[int, ...], values: dict[str, Any]) -> _Plan:
        state = self._compiled.construct_expanded_state(values)
        lists = {name: state.parameter_expansion[name] for name, each in values.items() if isinstance(each, list)}
        fixed = {name: each for name, each in state.parameters.items() if name not in values}
        plan = self._plans[lengths] = _Plan(state.statement, tuple(state.positiontup), fixed, lists)
        return plan


class PreparedChange:
    """An INSERT, UPDATE or DELETE that never changes; what it is given are columns to insert, or the names of its ``bindparam``.

    Columns that are left out get the plain defaults of their table, if they have any.
    """

    def __init__(self, statement: Insert | Update | Delete) -> None:
        self.statement = statement
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def run(self, db: Connection, **values: Any) -> int:
        """Return how many rows were changed."""
        if db.dialect.name != "sqlite":
            return db.execute(self.statement, values).rowcount
        names = tuple(values)
        plan = self._plans.get(names) or self._plan(names)
        return _execute(db, plan, plan.fixed | values).rowcount

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        compiled: Any = self.statement.compile(dialect=_DIALECT, column_keys=list(names))
        fixed = {name: value for name, value in compiled.params.items() if name not in names}
        for column in compiled.prefetch:
            if not column.default.is_scalar:
                msg = f"column {column.key} has a default that is not a plain value; give it"
                raise TypeError(msg)
            fixed[column.key] = column.default.arg
        plan = self._plans[names] = _Plan(compiled.string, tuple(compiled.positiontup), fixed, {})
        return plan


def _execute(db: Connection, plan: _Plan, given: dict[str, Any]) -> sqlite3.Cursor:
    try:
        driver = cast(sqlite3.Connection, db.connection.driver_connection)
        return driver.execute(plan.text, [given[name] for name in plan.order])
    except sqlite3.Error as error:
        raise DBAPIError.instance(plan.text, (), error, sqlite3.Error, hide_parameters=True) from error


def _row_maker(statement: Query) -> Callable[[tuple[Any, ...]], Row[Any]]:
    """Return what turns the driver's tuples into rows; raises ``TypeError`` for a column type that needs more than that."""
    columns = list(statement.selected_columns)
    names = [column.key or "column" for column in columns]
    kind: Any = namedtuple("PreparedRow", names, rename=True)  # type: ignore[misc]  # noqa: PYI024  its columns are known only here
    flags = [at for at, column in enumerate(columns) if isinstance(column.type, Boolean)]
    odd = [column.key for column in columns if not isinstance(column.type, (*_PLAIN, Boolean))]
    if odd:
        msg = f"columns {odd} have types that the driver does not give as they are"
        raise TypeError(msg)
    make = kind._make
    if not flags:
        return cast(Callable[[tuple[Any, ...]], Row[Any]], make)

    def with_flags(values: tuple[Any, ...]) -> Row[Any]:
        row = list(values)
        for at in flags:
            row[at] = None if row[at] is None else bool(row[at])
        return cast(Row[Any], make(row))

    return with_flags
