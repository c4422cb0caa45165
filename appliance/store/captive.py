"""Which phones on the hotspot went past the welcome page: a row per DHCP lease, in boot-time, until its life is over."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import hotspot_phone
from mqtt_bridge.prepared import Prepared

_FIND = Prepared(
    select(hotspot_phone.c.state, hotspot_phone.c.until_boot_ms).where(
        hotspot_phone.c.phone == bindparam("phone_"),
        hotspot_phone.c.boot_id == bindparam("boot"),
        hotspot_phone.c.until_boot_ms > bindparam("now"),
    )
)


def find(db: Connection, phone: str, boot_id: str, boot_ms: int) -> tuple[str, int] | None:
    """Return (state, until when in boot-time), None for a phone that did nothing yet or whose time is over."""
    row = _FIND.first(db, phone_=phone, boot=boot_id, now=boot_ms)
    return None if row is None else (row.state, row.until_boot_ms)


def put(db: Connection, phone: str, state: str, boot_id: str, until_boot_ms: int) -> None:
    """Write down how far a phone is."""
    values = {"state": state, "boot_id": boot_id, "until_boot_ms": until_boot_ms}
    row = insert(hotspot_phone).values(phone=phone, **values)
    db.execute(row.on_conflict_do_update(index_elements=["phone"], set_=values))


def count(db: Connection) -> int:
    """Return how many phones are known."""
    return db.execute(select(func.count()).select_from(hotspot_phone)).scalar_one()


def forget_over(db: Connection, boot_id: str, boot_ms: int) -> None:
    """Forget those whose time is over, or of another boot."""
    gone = (hotspot_phone.c.boot_id != boot_id) | (hotspot_phone.c.until_boot_ms <= boot_ms)
    db.execute(hotspot_phone.delete().where(gone))


def forget_oldest(db: Connection, number: int) -> None:
    """Forget the phones whose time ends first."""
    oldest = select(hotspot_phone.c.phone).order_by(hotspot_phone.c.until_boot_ms).limit(number)
    db.execute(hotspot_phone.delete().where(hotspot_phone.c.phone.in_(oldest)))
