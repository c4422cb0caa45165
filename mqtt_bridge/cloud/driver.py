"""Statements given to PostgreSQL's driver as they are: SQLAlchemy's way of executing one costs more than the driver's own.

A batch is some two dozen statements, however many messages it holds, so what a statement costs decides how small batches may be.
Connections, transactions and errors stay SQLAlchemy's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


class Driver:
    """The driver below the connection of one transaction; what it raises are SQLAlchemy's errors."""

    def __init__(self, db: Connection) -> None:
        self._dialect = db.dialect
        self._raw: Any = db.connection.driver_connection

    def rows(self, text: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return the rows of a query; ``text`` has a ``%s`` for each of the ``values``."""
        with self._translated(text):
            return cast(list[tuple[Any, ...]], self._raw.execute(text, values).fetchall())

    def answers(self, queries: Iterable[tuple[str, Sequence[object]]]) -> list[list[tuple[Any, ...]]]:
        """Return the rows of each query, after one round trip for all."""
        with self._translated("several queries"), self._raw.pipeline():
            asked = [self._raw.execute(text, values) for text, values in queries]
            return [each.fetchall() for each in asked]

    def run(self, text: str, values: Sequence[object]) -> None:
        """Execute a statement whose answer nobody reads."""
        with self._translated(text):
            self._raw.execute(text, values)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send all that is ``run`` inside in one go; what fails may be raised only at the end."""
        with self._translated("several statements"), self._raw.pipeline():
            yield

    @contextmanager
    def _translated(self, text: str) -> Iterator[None]:
        base = self._dialect.dbapi.Error  # type: ignore[union-attr]
        try:
            yield
        except base as error:
            raise DBAPIError.instance(text, (), error, base, hide_parameters=True, dialect=self._dialect) from error
