"""A copy of a device's database to practise on: nobody's name, no code or receipt that is good anywhere, nothing to send."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import cast

from mqtt_bridge.database import Database
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.messages import DeviceKey

# What a copy keeps; everything else, also tables that come later, comes into it empty.
KEPT = frozenset(
    {
        "alembic_version",
        "device",
        "catalogue",
        "asset",
        "allocation",
        "orders",
        "ticket",
        "request",
        "verification",
        "payment",
        "check_in",
        "switch",
        "issuer_key",
    }
)
# So many tickets of every quota can be sold for practice, whatever is really left.
TO_SELL = 20
_FIRST = ("Ada", "Zoë", "Björn", "Chloé", "Dragan", "Emre", "Søren", "Łucja", "Mei", "Noor", "Óscar")
_LAST = ("Müller", "O'Neill", "García", "Nowak", "Østby", "Šimić", "Okafor", "Lindqvist", "Strauß")


def make(source: Database, path: Path, random: Callable[[int], bytes], own: DeviceKey) -> None:
    """Copy ``source`` as it is now to the new file ``path``; ``own`` is the device's real key, so that it knows its tickets.

    It is cleaned in memory: no name ever reaches the file, which appears complete or not at all and is nobody else's to read.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    with closing(sqlite3.connect(":memory:")) as copy:
        with source.read() as db:
            cast(sqlite3.Connection, db.connection.driver_connection).backup(copy)
        _clean(copy, random)
        _know(copy, own)
        copy.commit()
        copy.execute("VACUUM")
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(unfinished)) as file:
            copy.backup(file)
    unfinished.rename(path)


def drop_all_but(folder: Path, names: set[str]) -> None:
    """Delete every copy with all its files, apart from these."""
    if not folder.exists():
        return
    for file in folder.iterdir():
        if file.name.partition(".")[0] not in names:
            file.unlink(missing_ok=True)


def _clean(copy: sqlite3.Connection, random: Callable[[int], bytes]) -> None:
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (table,) in copy.execute(named).fetchall():
        if table not in KEPT:
            copy.execute(f'DELETE FROM "{table}"')  # noqa: S608  a table's own name
    copy.execute("UPDATE device SET frozen = 0, sealed = 0, link_up = 0")
    copy.execute("UPDATE check_in SET code = ''")
    copy.execute("UPDATE payment SET shift = NULL")
    copy.execute("UPDATE orders SET client = '', contact = '', hold = NULL")
    # Its open holds are gone, and there is something to sell.
    copy.execute("UPDATE allocation SET held = 0, wanted = 0, refused_boot_ms = NULL")
    enough = f"MAX(granted, returned + sold - cancelled + {TO_SELL})"
    copy.execute(f"UPDATE allocation SET granted = {enough} WHERE current")  # noqa: S608  numbers only
    _rename(copy, random)


def _rename(copy: sqlite3.Connection, random: Callable[[int], bytes]) -> None:
    """Give everybody an invented name, and every order and ticket a code of its own that finds nothing elsewhere."""
    named = copy.execute("SELECT id FROM orders WHERE name <> '' ORDER BY id").fetchall()
    copy.executemany(
        "UPDATE orders SET name = ? WHERE id = ?",
        ((f"{_FIRST[n % len(_FIRST)]} {_LAST[n % len(_LAST)]}", order) for n, (order,) in enumerate(named)),
    )
    for table in ("orders", "ticket"):
        rows = copy.execute(f"SELECT id FROM {table}").fetchall()  # noqa: S608  one of two names
        change = f"UPDATE {table} SET code = ? WHERE id = ?"  # noqa: S608  one of two names
        copy.executemany(change, ((ids.code(random(5)), each) for (each,) in rows))
    copy.execute("UPDATE ticket SET receipt = ''")


def _know(copy: sqlite3.Connection, own: DeviceKey) -> None:
    """Enter the real key of this device, whose place another one takes in the copy."""
    copy.execute(
        "INSERT OR IGNORE INTO issuer_key (kid, device, venue, public, door, revoked, sealed, answered_by)"
        " VALUES (?, ?, ?, ?, ?, 0, 0, '')",
        (own.kid, own.device, own.venue, own.public, own.door),
    )
