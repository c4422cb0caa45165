"""Photos of guests who agreed: asked for by staff, taken by the desk, kept for a stated time, never part of any message.

wanted -> taken      the desk's camera gave a picture within a minute; it is deleted in time
          failed     it did not, for the reason said; nobody is photographed later
A photo asked for again takes the place of the one before, which is gone at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row

from appliance.domain import photos
from appliance.domain.clock import HOUR_MS
from appliance.domain.errors import DiskFull, Invalid, LimitReached, NotFound
from appliance.services import hardware
from appliance.services.box import Unit
from appliance.services.staff_views import PhotoView
from appliance.store import orders, records
from appliance.store import photos as rows

CAMERA = "camera"
MOST_WAITING = 4
# Some 80 MB of pictures; more people than that pass no door of ours on one evening.
MOST_KEPT = 2000
LARGEST_BYTES = 40_000
SMALL_BYTES = 6_000


class Picture(NamedTuple):
    """A photo as two JPEGs: ``body`` of at most ``LARGEST_BYTES``, ``small`` for lists, of at most ``SMALL_BYTES``."""

    body: bytes
    small: bytes


def offered(unit: Unit) -> bool:
    """Return whether there is a camera that the desk looks after, well or not."""
    return any(row.name == CAMERA and not hardware.is_silent(unit, row) for row in records.hardware_rows(unit.db))


def ask(unit: Unit, ticket_id: str, staff: str, *, agreed: bool) -> PhotoView:
    """Have the desk take a photo of a ticket's holder; raises ``Invalid`` unless the guest agreed.

    Asked for once more while the desk is at it, it changes nothing.
    """
    if not agreed:
        msg = "A photo is taken only if the guest agrees. Ask, then tick the box."
        raise Invalid(msg, field="agreed")
    ticket = orders.find_ticket(unit.db, ticket_id)
    if ticket is None or ticket.voided or ticket.replaced_by is not None:
        msg = "There is no such ticket here that is still good."
        raise NotFound(msg)
    before = rows.of_ticket(unit.db, ticket_id)
    if before is not None and _is_waiting(unit, before):
        return _view(unit, before)
    _require_room(unit)
    made = unit.secret()
    values = {
        "id": made,
        "ticket": ticket_id,
        "state": "wanted",
        "reason": "",
        "staff": staff,
        "asked_at_ms": unit.now.wall_ms,
        "asked_boot_id": unit.now.boot_id,
        "asked_boot_ms": unit.now.boot_ms,
        "left_ms": 0,
        "left_boot_id": unit.now.boot_id,
        "left_boot_ms": unit.now.boot_ms,
    }
    rows.put(unit.db, values)
    unit.audit(staff, "photo", ticket_id, "the guest agreed")
    unit.wakes.add("desk")
    return _view(unit, _find(unit, made))


def delete(unit: Unit, photo_id: str, staff: str) -> str:
    """Delete a photo for good; returns its ticket. Raises ``NotFound``."""
    row = _find(unit, photo_id)
    rows.drop(unit.db, [photo_id])
    unit.audit(staff, "photo_deleted", row.ticket)
    return str(row.ticket)


def of_tickets(unit: Unit, tickets: Iterable[str]) -> dict[str, PhotoView]:
    """Return the photos of these tickets, by ticket."""
    return {row.ticket: _view(unit, row) for row in rows.of_tickets(unit.db, tickets)}


def taken(unit: Unit, tickets: Iterable[str]) -> dict[str, str]:
    """Return the ids of the photos there are of these tickets, by ticket."""
    return {row.ticket: row.id for row in rows.of_tickets(unit.db, tickets) if row.state == "taken"}


def picture(unit: Unit, photo_id: str, *, small: bool = False) -> bytes:
    """Return a photo as JPEG; raises ``NotFound`` where there is none (any more)."""
    body = rows.body(unit.db, photo_id, small=small)
    if body is None:
        msg = "There is no such photo (any more)."
        raise NotFound(msg)
    return body


def claim(unit: Unit) -> str | None:
    """Return the photo the desk is to take now; gives up those that come too late, and None if there is none."""
    _give_up_late(unit)
    return next((str(row.id) for row in rows.wanted(unit.db)), None)


def anything_wanted(unit: Unit) -> bool:
    """Return whether a photo is asked for."""
    return bool(rows.count(unit.db, "wanted"))


def finish(unit: Unit, photo_id: str, picture: Picture, hours: int) -> bool:
    """Keep the picture the camera gave for ``hours``; False, and nothing is kept, where it is not wanted (any more)."""
    row = rows.find(unit.db, photo_id)
    if row is None or row.state != "wanted":
        return False
    if not _is_waiting(unit, row):
        rows.give_up(unit.db, [photo_id], "too_late")
        return False
    if len(picture.body) > LARGEST_BYTES or len(picture.small) > SMALL_BYTES:
        msg = f"A photo has at most {LARGEST_BYTES} and {SMALL_BYTES} bytes, not {len(picture.body)} and {len(picture.small)}."
        raise Invalid(msg, field="photo")
    life_ms = photos.life_ms(unit.now, hours, _ends_at_ms(unit, row.ticket))
    rows.change(
        unit.db,
        photo_id,
        state="taken",
        body=picture.body,
        small=picture.small,
        taken_at_ms=unit.now.wall_ms,
        keep_until_ms=unit.now.wall_ms + life_ms if unit.now.trusted else None,
        left_ms=life_ms,
        left_boot_id=unit.now.boot_id,
        left_boot_ms=unit.now.boot_ms,
    )
    return True


def fail(unit: Unit, photo_id: str, reason: photos.Reason) -> None:
    """Say that a photo could not be taken; one that is not wanted any more stays as it is."""
    row = rows.find(unit.db, photo_id)
    if row is not None and row.state == "wanted":
        rows.give_up(unit.db, [photo_id], reason)


def tidy(unit: Unit) -> int:
    """Delete the photos whose time is over, and return how many; give up wishes that nobody fulfilled.

    By the wall clock where it is trusted. Otherwise by the time this device has been running: what passed while it was off is not
    known and comes on top. A photo taken before the clock was trusted gets its date once it is.
    """
    _give_up_late(unit)
    rows.drop_failed(unit.db, unit.now.boot_id, unit.now.boot_ms - HOUR_MS)
    found = rows.to_look_after(unit.db, unit.now, photos.COUNTED_MS)
    over = [row.id for row in found if _is_over(unit, row)]
    if over:
        rows.drop(unit.db, over)
    return len(over)


def forget(unit: Unit, of_orders: Iterable[str]) -> None:
    """Delete the photos of these orders' tickets, whatever their state: one being taken is thrown away."""
    rows.drop_of_orders(unit.db, of_orders)


def _give_up_late(unit: Unit) -> None:
    late = [row.id for row in rows.wanted(unit.db) if not _is_waiting(unit, row)]
    if late:
        rows.give_up(unit.db, late, "too_late")


def _is_over(unit: Unit, row: Row[Any]) -> bool:
    now = unit.now
    left_ms = photos.left_ms(now, row.left_ms, row.left_boot_id, row.left_boot_ms)
    if left_ms <= 0 or (now.trusted and row.keep_until_ms is not None and row.keep_until_ms <= now.wall_ms):
        return True
    values: dict[str, Any] = {}
    if now.trusted and row.keep_until_ms is None:
        values["keep_until_ms"] = now.wall_ms + left_ms
    if row.left_boot_id != now.boot_id or now.boot_ms - row.left_boot_ms >= photos.COUNTED_MS:
        values |= {"left_ms": left_ms, "left_boot_id": now.boot_id, "left_boot_ms": now.boot_ms}
    if values:
        rows.change(unit.db, row.id, **values)
    return False


def _require_room(unit: Unit) -> None:
    if not offered(unit):
        msg = "There is no camera at this desk, or the desk is not running."
        raise Invalid(msg, field="camera")
    if rows.count(unit.db, "wanted") >= MOST_WAITING:
        msg = "Other photos are being taken. Try again in a moment."
        raise LimitReached(msg, "photos", 5)
    if rows.count(unit.db, "taken") >= MOST_KEPT:
        msg = "So many photos are kept that there is no room for more. Delete some."
        raise LimitReached(msg, "photos_kept")
    if not unit.box.has_room():
        msg = "The disk is nearly full, so no photos are taken."
        raise DiskFull(msg)


def _is_waiting(unit: Unit, row: Row[Any]) -> bool:
    return row.state == "wanted" and not photos.is_late(unit.now, row.asked_boot_id, row.asked_boot_ms)


def _ends_at_ms(unit: Unit, ticket_id: str) -> int:
    ticket = orders.find_ticket(unit.db, ticket_id)
    found = unit.catalogue.event_session.get(ticket.event_session) if ticket is not None else None
    return 0 if found is None else found.at.ends_at_ms


def _find(unit: Unit, photo_id: str) -> Row[Any]:
    row = rows.find(unit.db, photo_id)
    if row is None:
        msg = "There is no such photo (any more)."
        raise NotFound(msg)
    return row


def _view(unit: Unit, row: Row[Any]) -> PhotoView:
    """One that nobody took in time is called failed before the desk says so: the desk may be dead."""
    late = row.state == "wanted" and not _is_waiting(unit, row)
    state: photos.State = "failed" if late else row.state
    reason: photos.Reason = "no_desk" if late else row.reason
    return PhotoView(row.id, row.ticket, state, reason, row.taken_at_ms, row.keep_until_ms)
