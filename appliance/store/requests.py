"""Requests that the cloud has not answered yet, and what it answered."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from appliance.domain.clock import Now
from appliance.domain.requests import NO_STOCK
from appliance.store.tables import hold, hold_item, order, request, ticket

_OPEN = (
    select(ticket.c.quota, func.count().label("quantity"))
    .join(request, request.c.order == ticket.c.order)
    .where(request.c.open)
    .group_by(ticket.c.quota)
)
_OPEN_OF = _OPEN.join(order, order.c.id == ticket.c.order).where(order.c.client == bindparam("client_"))
# A hold of an earlier boot has its whole life again.
_ALIVE = or_(hold.c.boot_id != bindparam("boot"), hold.c.expires_boot_ms > bindparam("at"))
_HELD = (
    select(hold_item.c.quota, func.sum(hold_item.c.quantity).label("quantity"))
    .join(hold, hold.c.id == hold_item.c.hold)
    .where(hold.c.state == "open", hold_item.c.epoch == NO_STOCK, _ALIVE)
    .group_by(hold_item.c.quota)
)
_HELD_OF = _HELD.where(hold.c.client == bindparam("client_"))


def add(db: Connection, order_id: str) -> None:
    """Note an open request."""
    db.execute(request.insert().values(order=order_id, open=True, confirmed=False, refusal=""))


def find(db: Connection, order_id: str) -> Row[Any] | None:
    """Return the request row of an order."""
    return db.execute(select(request).where(request.c.order == order_id)).first()


def close(db: Connection, order_id: str, **values: Any) -> None:
    """Note that a request waits no more, with ``confirmed`` or ``refusal`` where the cloud answered."""
    db.execute(update(request).where(request.c.order == order_id).values(open=False, **values))


def requested(db: Connection, now: Now, client_id: str | None = None) -> dict[str, int]:
    """Return tickets per quota in open requests and in holds that will become requests; of one client or of all."""
    found: dict[str, int] = {}
    who = {} if client_id is None else {"client_": client_id}
    orders, holds = (_OPEN, _HELD) if client_id is None else (_OPEN_OF, _HELD_OF)
    for row in (*db.execute(orders, who), *db.execute(holds, {**who, "boot": now.boot_id, "at": now.boot_ms})):
        found[row.quota] = found.get(row.quota, 0) + row.quantity
    return found
