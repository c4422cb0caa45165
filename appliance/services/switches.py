"""Staff switches: they beat the clock, and decide alone where the clock is not trusted."""

from __future__ import annotations

from typing import Literal

from appliance.domain.errors import NotFound
from appliance.services import turns
from appliance.services.answering import issuers
from appliance.services.box import Unit
from appliance.services.cancelling import cancel
from appliance.store import orders, records, scans

Position = Literal["open", "closed"]


def set_sale(unit: Unit, event_session: str, position: Position | None, staff: str) -> None:
    """Open or close the sale of a session on this device; None lets the clock decide again."""
    _set(unit, "sale", event_session, position, staff)
    unit.at_end(turns.serve)


def set_door(unit: Unit, event_session: str, position: Position | None, staff: str) -> None:
    """Open or close the door of a session; None lets the clock decide again."""
    _set(unit, "door", event_session, position, staff)


def set_way(unit: Unit, lane: str, way: str, staff: str) -> None:
    """Have a lane's scanner count people out, or in again; raises ``NotFound`` for a lane that never scanned."""
    if lane not in lanes(unit):
        msg = "This lane does not exist: scan something there first."
        raise NotFound(msg)
    records.put_switch(unit.db, f"way:{lane}", "out" if way == "out" else None, unit.now.wall_ms, staff)
    unit.audit(staff, "way_switch", lane, way)


def lanes(unit: Unit) -> dict[str, str]:
    """Return the lanes of this door that scanned something lately, with the way each one counts."""
    found = records.switches(unit.db)
    ways = {name.partition(":")[2]: way for name, way in found.items() if name.startswith("way:")}
    return {lane: ways.get(lane, "in") for lane in sorted({*scans.lanes(unit.db), *ways})}


def cancel_unpaid(unit: Unit, event_session: str, staff: str) -> int:
    """Cancel the unpaid orders this device answers for, of a session whose guests have not come; return how many.

    A door elsewhere that took money for one which we heard nothing of refuses, and the order stands.
    """
    _require(unit, event_session)
    done = 0
    for order_id in orders.unpaid_in(unit.db, event_session, issuers(unit)):
        # Where somebody of an order is inside already, money is settled with them and not by a switch.
        if not any(row.checked_in_by for row in orders.tickets(unit.db, order_id)):
            cancel(unit, order_id, by=staff, unpaid=True)
            done += 1
    return done


def _set(unit: Unit, kind: str, event_session: str, position: Position | None, staff: str) -> None:
    _require(unit, event_session)
    records.put_switch(unit.db, f"{kind}:{event_session}", position, unit.now.wall_ms, staff)
    unit.audit(staff, f"{kind}_switch", event_session, position or "clock")


def _require(unit: Unit, event_session: str) -> None:
    if event_session not in unit.catalogue.event_session:
        msg = "This date does not exist (any more)."
        raise NotFound(msg)
