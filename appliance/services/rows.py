"""Rows that a use case cannot do without: ``NotFound`` where there is none."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from appliance.domain.errors import NotFound
from appliance.services.box import Unit
from appliance.store import holds, orders, verifications


def hold_row(unit: Unit, hold_id: str) -> Row[Any]:
    """Return the row of a hold."""
    return _there(holds.find(unit.db, hold_id), "This hold does not exist. Choose your tickets again.")


def order_row(unit: Unit, order_id: str) -> Row[Any]:
    """Return the row of an order."""
    return _there(orders.find(unit.db, order_id), "This order does not exist.")


def verification_row(unit: Unit, order_id: str) -> Row[Any]:
    """Return what an order has to prove; for one that never had to it is as if there were no such order."""
    return _there(verifications.find(unit.db, order_id), "This order does not exist.")


def _there(row: Row[Any] | None, words: str) -> Row[Any]:
    if row is None:
        raise NotFound(words)
    return row
