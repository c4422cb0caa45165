"""Values of many rows as PostgreSQL arrays, one per column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any


def columns_of(rows: Collection[tuple[Any, ...]]) -> list[str]:
    """Return an array per column."""
    return [array(column) for column in zip(*rows, strict=True)]


def array(values: Sequence[Any]) -> str:
    """Return a PostgreSQL array of one column's values as text; many times faster than the driver, which asks each for its type."""
    kinds = set(map(type, values))
    if kinds == {str}:
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):
            return f'{{"{joined}"}}'
    elif kinds == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
