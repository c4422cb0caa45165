"""Names and contacts: who has some, and forgetting them. Everything else about an order stays."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import client, erasure, order, ticket, verification
from mqtt_bridge.protocol.messages import ErasePersonalData

_NAMED = (order.c.name != "") | (order.c.contact != "")


def orders_with_personal_data(db: Connection) -> list[tuple[str, str]]:
    """Return (id, contact) of every order that still has a name or a contact."""
    return [(row.id, row.contact) for row in db.execute(select(order.c.id, order.c.contact).where(_NAMED))]


def ended_orders(db: Connection, running: Iterable[str], before_ms: int) -> list[str]:
    """Return orders with personal data, made before ``before_ms``, without a ticket for any of the ``running`` sessions."""
    still = select(ticket.c.id).where(ticket.c.order == order.c.id, ticket.c.event_session.in_(list(running)))
    query = select(order.c.id).where(_NAMED, order.c.created_at_ms < before_ms, ~still.exists())
    return list(db.execute(query).scalars())


def forget(db: Connection, orders: Iterable[str]) -> None:
    """Empty name and contact of these orders."""
    named = list(orders)
    db.execute(update(order).where(order.c.id.in_(named)).values(name="", contact=""))
    db.execute(update(verification).where(verification.c.order.in_(named)).values(member=""))


def forget_addresses(db: Connection, boot_id: str) -> None:
    """Empty the addresses of phones seen in earlier boots: only the present boot counts by them."""
    db.execute(update(client).where(client.c.boot_id != boot_id, client.c.address != "").values(address=""))


def remember_erasure(db: Connection, body: ErasePersonalData, at_ms: int) -> None:
    """Keep what was asked for."""
    row = {"id": body.erasure, "order": body.order, "salt": body.salt, "digest": body.digest, "asked_at_ms": at_ms}
    db.execute(insert(erasure).values(**row).on_conflict_do_nothing())


def erasures(db: Connection) -> list[ErasePersonalData]:
    """Return everything this device was asked to forget."""
    c = erasure.c
    rows = db.execute(select(c.id, c.order, c.salt, c.digest).order_by(c.asked_at_ms))
    return [ErasePersonalData(row.id, row.order, row.salt, row.digest) for row in rows]
