"""Read the database of an old card: from a copy, so that nothing on the card changes, and as far as it can be read."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from mqtt_bridge.cloud.recovering import Card
from mqtt_bridge.protocol.messages import StockCount
from mqtt_bridge.protocol.stock import Totals

NAME = "marquee.db"
_MESSAGES = "SELECT inc, envelope FROM outbox WHERE peer = 'cloud' ORDER BY inc, seq"
_STOCK = "SELECT quota, epoch, granted, confirmed, returned, sold, cancelled, held FROM allocation"


class CardUnreadable(Exception):
    """There is nothing to read; the sentence says where it was looked for."""


def read_card(path: Path) -> Card:
    """Return what the device's database in ``path`` (the file, or the folder it is in) holds.

    A torn ``-wal`` beside it is read up to its last whole commit, a damaged file up to the damage.
    """
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise CardUnreadable(f"{file} is no file; name a device's {NAME} or the folder it is in")
    with tempfile.TemporaryDirectory(prefix="marquee-card-") as folder:
        copy = Path(folder) / NAME
        shutil.copyfile(file, copy)
        wal = file.with_name(file.name + "-wal")
        if wal.is_file():
            shutil.copyfile(wal, copy.with_name(copy.name + "-wal"))
        with closing(sqlite3.connect(copy)) as db:
            return _read(db, file)


def _read(db: sqlite3.Connection, file: Path) -> Card:
    try:
        row = db.execute("SELECT device FROM device").fetchone()
    except sqlite3.DatabaseError as error:
        raise CardUnreadable(f"{file} cannot be read as a device's database: {error}") from error
    if row is None:
        raise CardUnreadable(f"{file} belongs to no device")
    damage: list[str] = []
    messages = tuple((inc, bytes(envelope)) for inc, envelope in _rows(db, _MESSAGES, damage))
    stock = tuple(_count(*each) for each in _rows(db, _STOCK, damage))
    return Card(row[0], messages, stock, "; ".join(damage))


def _rows(db: sqlite3.Connection, query: str, damage: list[str]) -> Iterator[tuple[Any, ...]]:
    try:
        cursor: Iterable[tuple[Any, ...]] = db.execute(query)
        yield from cursor
    except sqlite3.DatabaseError as error:
        damage.append(str(error))


def _count(quota: str, epoch: int, *numbers: int) -> StockCount:
    granted, confirmed, returned, sold, cancelled, held = numbers
    return StockCount(quota, epoch, Totals(granted, confirmed, returned, sold, cancelled), held)
