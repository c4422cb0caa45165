"""Rows of text messages to guests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from appliance.domain.clock import Now
from appliance.store.tables import order, sms

_OVER = sms.c.state.in_(("sent", "failed", "ambiguous"))
_WITH_CODE = select(sms, order.c.code, order.c.status).join(order, order.c.id == sms.c.order)


def add(db: Connection, values: dict[str, Any]) -> None:
    """Insert a message."""
    db.execute(sms.insert().values(**values))


def find(db: Connection, message: int) -> Row[Any] | None:
    """Return a message with its order's code and status."""
    return db.execute(_WITH_CODE.where(sms.c.id == message)).first()


def of_order(db: Connection, order_id: str) -> Row[Any] | None:
    """Return the message of an order."""
    return db.execute(_WITH_CODE.where(sms.c.order == order_id)).first()


def next_due(db: Connection, inc: str, now: Now) -> Row[Any] | None:
    """Return the oldest queued message of this life whose wait is over; a reboot ends every wait."""
    due = or_(sms.c.due_boot_id != now.boot_id, sms.c.due_boot_ms <= now.boot_ms)
    query = _WITH_CODE.where(sms.c.state == "queued", sms.c.inc == inc, due).order_by(sms.c.id).limit(1)
    return db.execute(query).first()


def change(db: Connection, message: int, **values: Any) -> None:
    """Set columns of a message."""
    db.execute(update(sms).where(sms.c.id == message).values(**values))


def in_state(db: Connection, *states: str) -> list[Row[Any]]:
    """Return the messages in these states, oldest first."""
    return list(db.execute(_WITH_CODE.where(sms.c.state.in_(states)).order_by(sms.c.id)))


def recent(db: Connection, limit: int) -> list[Row[Any]]:
    """Return messages, those a person has to look at first, then the latest."""
    wants_a_look = sms.c.state.in_(("ambiguous", "failed")) & (sms.c.number != "")
    return list(db.execute(_WITH_CODE.order_by(wants_a_look.desc(), sms.c.id.desc()).limit(limit)))


def count_by_state(db: Connection) -> dict[str, int]:
    """Return how many messages are in each state."""
    return {row[0]: row[1] for row in db.execute(select(sms.c.state, func.count()).group_by(sms.c.state))}


def count_waiting(db: Connection) -> int:
    """Return how many messages are not over."""
    return int(db.execute(select(func.count()).select_from(sms).where(~_OVER)).scalar_one())


def fail_late(db: Connection, now_ms: int, reason: str) -> None:
    """Give up what is queued and of no use any more."""
    late = and_(sms.c.state == "queued", sms.c.keep_until_ms < now_ms)
    db.execute(update(sms).where(late).values(state="failed", reason=reason, changed_at_ms=now_ms))


def drop_code(db: Connection, order_id: str) -> None:
    """Delete the message with a code that is of no use any more; the message with the ticket may follow."""
    db.execute(sms.delete().where(sms.c.order == order_id, sms.c.purpose == "code", sms.c.state != "sending"))


def addressed(db: Connection) -> list[tuple[str, str]]:
    """Return (order, number) of every message that still has one."""
    return [(row.order, row.number) for row in db.execute(select(sms.c.order, sms.c.number).where(sms.c.number != ""))]


def forget(db: Connection, orders: Iterable[str], reason: str, at_ms: int) -> None:
    """Empty number and text of the messages of these orders; what was queued is given up."""
    of_them = sms.c.order.in_(list(orders))
    given_up = {"state": "failed", "reason": reason, "changed_at_ms": at_ms}
    db.execute(update(sms).where(of_them, sms.c.state == "queued").values(**given_up))
    db.execute(update(sms).where(of_them).values(number="", text=""))


def forget_before(db: Connection, kept_until_ms: int) -> None:
    """Empty number and text of what is over and was of use until before then."""
    old = and_(_OVER, sms.c.keep_until_ms < kept_until_ms, sms.c.number != "")
    db.execute(update(sms).where(old).values(number="", text=""))


def drop_before(db: Connection, kept_until_ms: int) -> None:
    """Delete what is over, nameless and of use until before then."""
    db.execute(sms.delete().where(_OVER, sms.c.number == "", sms.c.keep_until_ms < kept_until_ms))
