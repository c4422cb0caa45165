"""Holds and the clients that placed them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from appliance.domain.clock import Now
from appliance.domain.inventory import Line
from appliance.store.tables import client, hold, hold_item, order


def _lapsed(now: Now) -> Any:
    return and_(hold.c.state == "open", hold.c.boot_id == now.boot_id, hold.c.expires_boot_ms <= now.boot_ms)


def add(db: Connection, values: dict[str, Any], lines: Iterable[Line], epochs: dict[str, int]) -> None:
    """Insert an open hold with its items."""
    db.execute(hold.insert().values(state="open", **values))
    items = [
        {
            "hold": values["id"],
            "ticket_type": line.ticket_type,
            "quota": line.quota,
            "epoch": epochs[line.quota],
            "quantity": line.quantity,
        }
        for line in lines
    ]
    db.execute(hold_item.insert(), items)


def find(db: Connection, hold_id: str) -> Row[Any] | None:
    """Return the hold row."""
    return db.execute(select(hold).where(hold.c.id == hold_id)).first()


def find_by_code(db: Connection, code: str) -> Row[Any] | None:
    """Return the hold row with this readable code."""
    return db.execute(select(hold).where(hold.c.code == code)).first()


def items(db: Connection, hold_id: str) -> list[Row[Any]]:
    """Return the item rows in a stable order."""
    return list(db.execute(select(hold_item).where(hold_item.c.hold == hold_id).order_by(hold_item.c.ticket_type)))


def set_state(db: Connection, hold_id: str, state: str) -> None:
    """Write a hold's new state."""
    db.execute(update(hold).where(hold.c.id == hold_id).values(state=state))


def lapsed(db: Connection, now: Now) -> list[str]:
    """Return ids of open holds whose life is over."""
    return list(db.execute(select(hold.c.id).where(_lapsed(now)).order_by(hold.c.expires_boot_ms)).scalars())


def lapsed_stock(db: Connection, now: Now) -> dict[tuple[str, int], int]:
    """Return tickets per (quota, epoch) in holds whose life is over but which nobody freed yet."""
    query = (
        select(hold_item.c.quota, hold_item.c.epoch, func.sum(hold_item.c.quantity).label("quantity"))
        .join(hold, hold.c.id == hold_item.c.hold)
        .where(_lapsed(now))
        .group_by(hold_item.c.quota, hold_item.c.epoch)
    )
    return {(row.quota, row.epoch): row.quantity for row in db.execute(query)}


def adopt(db: Connection, now: Now) -> None:
    """Restart the life of open holds from an earlier boot."""
    db.execute(
        update(hold)
        .where(hold.c.state == "open", hold.c.boot_id != now.boot_id)
        .values(
            boot_id=now.boot_id,
            placed_boot_ms=now.boot_ms,
            expires_boot_ms=now.boot_ms + hold.c.life_ms,
            expires_at_ms=now.wall_ms + hold.c.life_ms,
        )
    )


def open_of(db: Connection, client_id: str) -> int:
    """Return how many holds a client has open."""
    query = select(func.count()).select_from(hold).where(hold.c.client == client_id, hold.c.state == "open")
    return db.execute(query).scalar_one()


def open_ids_of(db: Connection, client_id: str) -> list[str]:
    """Return the ids of a client's open holds, newest first."""
    query = select(hold.c.id).where(hold.c.client == client_id, hold.c.state == "open")
    return [str(row.id) for row in db.execute(query.order_by(hold.c.placed_at_ms.desc(), hold.c.id))]


def unconfirmed_since(db: Connection, client_id: str, boot_id: str, since_boot_ms: int) -> tuple[int, int | None]:
    """Return how many unconfirmed holds a client placed since then, and when (boot-time) the first of them was."""
    query = select(func.count(), func.min(hold.c.placed_boot_ms)).where(
        hold.c.client == client_id,
        hold.c.state != "confirmed",
        hold.c.boot_id == boot_id,
        hold.c.placed_boot_ms > since_boot_ms,
    )
    number, first = db.execute(query).one()
    return number, first


def held_by(db: Connection, client_id: str) -> dict[str, int]:
    """Return tickets per quota in a client's open holds."""
    query = (
        select(hold_item.c.quota, func.sum(hold_item.c.quantity).label("quantity"))
        .join(hold, hold.c.id == hold_item.c.hold)
        .where(hold.c.client == client_id, hold.c.state == "open")
        .group_by(hold_item.c.quota)
    )
    return {row.quota: row.quantity for row in db.execute(query)}


def open_by_address(db: Connection, quota: str) -> list[Row[Any]]:
    """Return (id, client, address, quantity) of guests' open holds on a quota, newest first."""
    query = (
        select(hold.c.id, hold.c.client, client.c.address, hold_item.c.quantity)
        .join(hold, hold.c.id == hold_item.c.hold)
        .join(client, client.c.id == hold.c.client)
        .where(hold.c.state == "open", hold_item.c.quota == quota)
        .order_by(hold.c.placed_boot_ms.desc(), hold.c.id)
    )
    return list(db.execute(query))


def old_ends(db: Connection, before_ms: int) -> int:
    """Delete released and expired holds placed before then that never became an order; return how many."""
    old = (
        select(hold.c.id)
        .outerjoin(order, order.c.hold == hold.c.id)
        .where(or_(hold.c.state == "released", hold.c.state == "expired"))
        .where(hold.c.placed_at_ms < before_ms, order.c.id.is_(None))
    )
    found = list(db.execute(old).scalars())
    if found:
        db.execute(hold_item.delete().where(hold_item.c.hold.in_(found)))
        db.execute(hold.delete().where(hold.c.id.in_(found)))
    return len(found)


def client_known(db: Connection, client_id: str) -> bool:
    """Return whether this client was seen before."""
    return db.execute(select(client.c.id).where(client.c.id == client_id)).first() is not None


def add_client(db: Connection, client_id: str, address: str, now: Now) -> None:
    """Remember a client and where it first called from."""
    db.execute(client.insert().values(id=client_id, address=address, boot_id=now.boot_id, first_boot_ms=now.boot_ms))
