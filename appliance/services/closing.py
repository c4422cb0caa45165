"""Being sealed: the operator closed this device for good, so it sells nothing, decides no door and gives back what it has."""

from __future__ import annotations

from appliance.services import turns
from appliance.services.box import Unit
from appliance.services.stock import end_hold
from appliance.store import allocations, device, holds
from mqtt_bridge.protocol.messages import DeviceClosed, DeviceState


def close(unit: Unit, state: DeviceState) -> None:
    """Stop for good, once: open holds end, unsold stock of this life is returned, and the log goes on being told.

    Stock of earlier lives is not returned: another copy of this database may have sold it.
    """
    if not unit.device.sealed:
        # Whoever waits here keeps their place; the replacement makes the next offer.
        turns.withdraw_all(unit)
        for hold_id in holds.open_ids(unit.db):
            end_hold(unit, hold_id, "release")
        emptied = [shelf.give_back_all() for shelf in allocations.shelves(unit.db).values()]
        for shelf in emptied:
            allocations.put(unit.db, shelf)
        unit.emit(DeviceClosed(stock=tuple(each.count for each in emptied)))
        unit.audit("system", "sealed")
        unit.wakes.update({"bridge", "desk"})
    device.change(
        unit.db,
        sealed=True,
        frozen=True,
        door=False,
        generation=state.generation,
        state_revision=state.revision,
        state_as_of_ms=state.as_of_ms,
    )
    unit.reload()
