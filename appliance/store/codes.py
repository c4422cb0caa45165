"""Readable codes already in use on this device."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, literal, select, union_all

from appliance.store.tables import hold, order, ticket
from mqtt_bridge.prepared import Prepared

_TAKEN = Prepared(
    union_all(
        *(
            select(literal(1)).select_from(table).where(table.c.code == bindparam("code"))
            for table in (hold, order, ticket)
        )
    ).limit(1)
)


def taken(db: Connection, code: str) -> bool:
    """Return whether a hold, an order or a ticket here has this code."""
    return _TAKEN.first(db, code=code) is not None
