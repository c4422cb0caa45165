"""Rows of photos of guests. Bodies are read only where a picture is shown or printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, false, func, or_, select, update

from appliance.domain.clock import Now
from appliance.store.tables import photo, ticket

_FACTS = select(*(column for column in photo.c if column.name not in {"small", "body"}))


def put(db: Connection, values: dict[str, Any]) -> None:
    """Insert a photo in place of whatever there was of its ticket."""
    db.execute(photo.delete().where(photo.c.ticket == values["ticket"]))
    db.execute(photo.insert().values(**values))


def find(db: Connection, photo_id: str) -> Row[Any] | None:
    """Return a photo without its picture."""
    return db.execute(_FACTS.where(photo.c.id == photo_id)).first()


def of_ticket(db: Connection, ticket_id: str) -> Row[Any] | None:
    """Return the photo of a ticket without its picture."""
    return db.execute(_FACTS.where(photo.c.ticket == ticket_id)).first()


def of_tickets(db: Connection, tickets: Iterable[str]) -> list[Row[Any]]:
    """Return the photos of these tickets without their pictures."""
    return list(db.execute(_FACTS.where(photo.c.ticket.in_(list(tickets)))))


def body(db: Connection, photo_id: str, *, small: bool = False) -> bytes | None:
    """Return the picture of a photo that was taken."""
    column = photo.c.small if small else photo.c.body
    return db.execute(select(column).where(photo.c.id == photo_id)).scalar()


def wanted(db: Connection) -> list[Row[Any]]:
    """Return the photos that were asked for, oldest first."""
    return list(db.execute(_FACTS.where(photo.c.state == "wanted").order_by(photo.c.asked_at_ms, photo.c.id)))


def to_look_after(db: Connection, now: Now, counted_ms: int) -> list[Row[Any]]:
    """Return the photos, without the pictures, whose time may be over or whose life was not counted for ``counted_ms``."""
    c = photo.c
    uncounted = or_(c.left_boot_id != now.boot_id, c.left_boot_ms <= now.boot_ms - counted_ms)
    over = c.left_boot_ms + c.left_ms <= now.boot_ms
    dated = or_(c.keep_until_ms.is_(None), c.keep_until_ms <= now.wall_ms) if now.trusted else false()
    return list(db.execute(_FACTS.where(c.state == "taken", or_(uncounted, over, dated))))


def give_up(db: Connection, photos: Iterable[str], reason: str) -> None:
    """Say that these will not be taken."""
    db.execute(update(photo).where(photo.c.id.in_(list(photos))).values(state="failed", reason=reason))


def drop_failed(db: Connection, boot_id: str, before_boot_ms: int) -> None:
    """Delete what could not be taken, if it was asked for in an earlier boot or before then."""
    old = or_(photo.c.asked_boot_id != boot_id, photo.c.asked_boot_ms < before_boot_ms)
    db.execute(photo.delete().where(photo.c.state == "failed", old))


def count(db: Connection, state: str) -> int:
    """Return how many photos are in a state."""
    return int(db.execute(select(func.count()).select_from(photo).where(photo.c.state == state)).scalar_one())


def change(db: Connection, photo_id: str, **values: Any) -> None:
    """Set columns of a photo."""
    db.execute(update(photo).where(photo.c.id == photo_id).values(**values))


def drop(db: Connection, photos: Iterable[str]) -> None:
    """Delete photos."""
    db.execute(photo.delete().where(photo.c.id.in_(list(photos))))


def drop_of_orders(db: Connection, orders: Iterable[str]) -> int:
    """Delete the photos of all tickets of these orders; return how many."""
    theirs = select(ticket.c.id).where(ticket.c.order.in_(list(orders)))
    return db.execute(photo.delete().where(photo.c.ticket.in_(theirs))).rowcount
