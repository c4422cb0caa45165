"""What all records are."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row. ``SERIAL`` names a column that the database numbers; until it is written it holds a negative number."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ("id",)
    SERIAL: ClassVar[str | None] = None
