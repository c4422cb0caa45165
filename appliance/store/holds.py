"""Holds and the clients that placed them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, func, or_, select, update

from appliance.domain.clock import Now
from appliance.domain.inventory import Line
from appliance.domain.requests import NO_STOCK
from appliance.store.tables import client, hold, hold_item, order
from mqtt_bridge.prepared import Prepared, PreparedChange

# Statements of the hot path are built once: building one costs as much as running it.
_ID: BindParameter[str] = bindparam("id_")
_CLIENT: BindParameter[str] = bindparam("client_")
_BOOT: BindParameter[str] = bindparam("boot")
_AT: BindParameter[int] = bindparam("at")
_LAPSED = and_(hold.c.state == "open", hold.c.boot_id == _BOOT, hold.c.expires_boot_ms <= _AT)
# A waitlist offer is nothing that its client asked for just now: limits on placing holds do not count it.
_PLACED = hold.c.entry.is_(None)
_ADD = PreparedChange(hold.insert())
_ADD_ITEM = PreparedChange(hold_item.insert())
_FIND = Prepared(select(hold).where(hold.c.id == _ID))
_ITEMS = Prepared(select(hold_item).where(hold_item.c.hold == _ID).order_by(hold_item.c.ticket_type))
_WITH_STATE = update(hold).where(hold.c.id == _ID).values(state=bindparam("after"))
_SET_STATE = PreparedChange(_WITH_STATE)
_END = _WITH_STATE.where(hold.c.state == "open").returning(hold.c.entry)
_LAPSED_IDS = Prepared(select(hold.c.id).where(_LAPSED).order_by(hold.c.expires_boot_ms))
_OPEN_AND_LAPSED = Prepared(
    select(hold_item.c.quota, hold_item.c.epoch, func.sum(hold_item.c.quantity).label("quantity"))
    .join(hold, hold.c.id == hold_item.c.hold)
    .where(_LAPSED)
    .group_by(hold_item.c.quota, hold_item.c.epoch)
)
_OF_EARLIER_BOOTS = and_(hold.c.state == "open", hold.c.boot_id != _BOOT)
_ANY_OF_EARLIER_BOOTS = Prepared(select(hold.c.id).where(_OF_EARLIER_BOOTS).limit(1))
_OPEN_OF = Prepared(
    select(func.count()).select_from(hold).where(hold.c.client == _CLIENT, hold.c.state == "open", _PLACED)
)
_UNCONFIRMED = Prepared(
    select(func.count().label("number"), func.min(hold.c.placed_boot_ms).label("since"))
    .select_from(hold.outerjoin(order, order.c.hold == hold.c.id))
    .where(hold.c.client == _CLIENT, hold.c.boot_id == _BOOT, hold.c.placed_boot_ms > _AT, _PLACED)
    .where(or_(order.c.id.is_(None), order.c.status == "cancelled"))
)
_HELD_BY = Prepared(
    select(hold_item.c.quota, func.sum(hold_item.c.quantity).label("quantity"))
    .join(hold, hold.c.id == hold_item.c.hold)
    .where(hold.c.client == _CLIENT, hold.c.state == "open", hold_item.c.epoch != NO_STOCK)
    .group_by(hold_item.c.quota)
)
_KNOWN = Prepared(select(client.c.id).where(client.c.id == _CLIENT))
_ADD_CLIENT = PreparedChange(client.insert())


def add(db: Connection, values: dict[str, Any], lines: Iterable[Line], epochs: dict[str, int]) -> None:
    """Insert an open hold with its items; ``entry`` of ``values`` names the waitlist entry it is an offer for."""
    _ADD.run(db, **{"state": "open", "entry": None, **values})
    for line in lines:
        _ADD_ITEM.run(
            db,
            hold=values["id"],
            ticket_type=line.ticket_type,
            quota=line.quota,
            epoch=epochs[line.quota],
            quantity=line.quantity,
        )


def find(db: Connection, hold_id: str) -> Row[Any] | None:
    """Return the hold row."""
    return _FIND.first(db, id_=hold_id)


def open_by_code(db: Connection, code: str) -> Row[Any] | None:
    """Return the open hold with this readable code."""
    return db.execute(select(hold).where(hold.c.code == code, hold.c.state == "open")).first()


def items(db: Connection, hold_id: str) -> list[Row[Any]]:
    """Return the item rows in a stable order."""
    return _ITEMS.all(db, id_=hold_id)


def set_state(db: Connection, hold_id: str, state: str) -> None:
    """Write a hold's new state."""
    _SET_STATE.run(db, id_=hold_id, after=state)


def end(db: Connection, hold_id: str, state: str) -> Row[Any] | None:
    """Write an open hold's end and return its ``entry``; None, changing nothing, if it is not open (any more)."""
    return db.execute(_END, {"id_": hold_id, "after": state}).first()


def lapsed(db: Connection, now: Now) -> list[str]:
    """Return ids of open holds whose life is over."""
    return _LAPSED_IDS.scalars(db, boot=now.boot_id, at=now.boot_ms)


def lapsed_stock(db: Connection, now: Now) -> dict[tuple[str, int], int]:
    """Return tickets per (quota, epoch) in holds whose life is over but which nobody freed yet."""
    rows = _OPEN_AND_LAPSED.all(db, boot=now.boot_id, at=now.boot_ms)
    return {(row.quota, row.epoch): row.quantity for row in rows}


def adopt(db: Connection, now: Now) -> None:
    """Restart the life of open holds from an earlier boot."""
    if _ANY_OF_EARLIER_BOOTS.first(db, boot=now.boot_id) is None:
        return
    restarted = update(hold).where(hold.c.state == "open", hold.c.boot_id != now.boot_id)
    db.execute(
        restarted.values(
            boot_id=now.boot_id,
            placed_boot_ms=now.boot_ms,
            expires_boot_ms=now.boot_ms + hold.c.life_ms,
            expires_at_ms=now.wall_ms + hold.c.life_ms,
        )
    )


def open_ids(db: Connection) -> list[str]:
    """Return the ids of all open holds."""
    return list(db.execute(select(hold.c.id).where(hold.c.state == "open").order_by(hold.c.id)).scalars())


def open_of(db: Connection, client_id: str) -> int:
    """Return how many holds a client has open."""
    return int(_OPEN_OF.scalar(db, client_=client_id))


def open_ids_of(db: Connection, client_id: str) -> list[str]:
    """Return the ids of a client's open holds, newest first."""
    query = select(hold.c.id).where(hold.c.client == client_id, hold.c.state == "open", _PLACED)
    return [str(row.id) for row in db.execute(query.order_by(hold.c.placed_at_ms.desc(), hold.c.id))]


def unconfirmed_since(db: Connection, client_id: str, boot_id: str, since_boot_ms: int) -> tuple[int, int | None]:
    """Return how many holds without a lasting order a client placed since then, and when (boot-time) the first of them was.

    An order that was cancelled counts like a hold that was given back: both kept tickets from others for nothing.
    """
    row = _UNCONFIRMED.all(db, client_=client_id, boot=boot_id, at=since_boot_ms)[0]
    return row.number, row.since


def held_by(db: Connection, client_id: str) -> dict[str, int]:
    """Return tickets per quota in a client's open holds."""
    return {row.quota: row.quantity for row in _HELD_BY.all(db, client_=client_id)}


def open_by_address(db: Connection, quota: str) -> list[Row[Any]]:
    """Return (id, client, address, quantity) of guests' open holds on a quota, newest first, each once; offers left out."""
    query = (
        select(hold.c.id, hold.c.client, client.c.address, func.sum(hold_item.c.quantity).label("quantity"))
        .join(hold, hold.c.id == hold_item.c.hold)
        .join(client, client.c.id == hold.c.client)
        .where(hold.c.state == "open", hold_item.c.quota == quota, hold_item.c.epoch != NO_STOCK, _PLACED)
        .group_by(hold.c.id, hold.c.client, client.c.address, hold.c.placed_boot_ms)
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
    return _KNOWN.first(db, client_=client_id) is not None


def add_client(db: Connection, client_id: str, address: str, now: Now) -> None:
    """Remember a client and where it first called from."""
    _ADD_CLIENT.run(db, id=client_id, address=address, boot_id=now.boot_id, first_boot_ms=now.boot_ms)
