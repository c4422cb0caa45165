"""How much there is of what, for whoever watches the device."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from appliance.store import tables


def holds_by_state(db: Connection) -> dict[str, int]:
    """Return the number of holds in each state."""
    query = select(tables.hold.c.state, func.count()).group_by(tables.hold.c.state)
    return {row[0]: row[1] for row in db.execute(query)}


def orders_by_status(db: Connection) -> dict[tuple[str, str], int]:
    """Return the number of orders by (status, payment)."""
    columns = (tables.order.c.status, tables.order.c.payment)
    return {
        (status, paid): number for status, paid, number in db.execute(select(*columns, func.count()).group_by(*columns))
    }


def entries_by_state(db: Connection) -> dict[str, int]:
    """Return the number of waitlist entries in each state."""
    query = select(tables.waiting.c.state, func.count()).group_by(tables.waiting.c.state)
    return {row[0]: row[1] for row in db.execute(query)}


def check_ins_by_verdict(db: Connection) -> dict[tuple[str, str], int]:
    """Return the number of scans by (verdict, reason), the reason empty where there is none."""
    columns = (tables.check_in.c.verdict, func.coalesce(tables.check_in.c.reason, ""))
    return {
        (verdict, why): number for verdict, why, number in db.execute(select(*columns, func.count()).group_by(*columns))
    }


def print_jobs_by_state(db: Connection) -> dict[str, int]:
    """Return the number of print jobs in each state."""
    query = select(tables.print_job.c.state, func.count()).group_by(tables.print_job.c.state)
    return {row[0]: row[1] for row in db.execute(query)}
