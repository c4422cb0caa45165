"""Rows of nothing in particular, to see what becomes of them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Connection, Integer, LargeBinary, MetaData


def fill(db: Connection, *but: str, known: MetaData | None = None) -> list[str]:
    """Add two rows to every table there is (or is ``known``), ``but`` these; returns the tables' names."""
    found = known or MetaData()
    if known is None:
        found.reflect(db)
    tables = [each for each in found.sorted_tables if each.name not in but]
    for table in tables:
        for number in (1, 2):
            db.execute(table.insert().values({each.name: _value(each, number) for each in table.columns}))
    return [each.name for each in tables]


def _value(column: Column[object], number: int) -> object:
    """The same value where another table refers to it."""
    reference = next(iter(column.foreign_keys), None)
    if reference is not None:
        column = reference.column
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, Integer):
        return number
    return b"{}" if isinstance(column.type, LargeBinary) else f"{column.name}{number}"
