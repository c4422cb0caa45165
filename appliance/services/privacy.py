"""Forgetting people: on request, and some time after their event. Signatures, tickets and figures stay as they are."""

from __future__ import annotations

from collections.abc import Collection

from appliance.domain.clock import DAY_MS
from appliance.services import photos, sms
from appliance.services.box import Unit
from appliance.store import guests, jobs, personal, waiting
from appliance.store import sms as sms_rows
from mqtt_bridge.mailbox.personal import forget_private
from mqtt_bridge.protocol.messages import Content, ErasePersonalData, PersonalDataErased, Private
from mqtt_bridge.protocol.privacy import means
from mqtt_bridge.protocol.topics import CLOUD


def on_erase(unit: Unit, message: ErasePersonalData) -> None:
    """Forget whom the erasure means, now and in whatever arrives later, and say so."""
    personal.remember_erasure(unit.db, message, unit.now.wall_ms)
    found = {order for order, contact in personal.orders_with_personal_data(unit.db) if means(message, order, contact)}
    for row in waiting.rows_open(unit.db):
        if means(message, row.entry, row.contact):
            waiting.change(unit.db, row.number, contact="")
    found |= {order for order, number in sms_rows.addressed(unit.db) if means(message, order, number)}
    _forget(unit, found | ({message.order} if message.order else set()))
    unit.audit("operator", "erase", message.erasure, f"{len(found)} orders")
    unit.emit(PersonalDataErased(message.erasure, len(found)))


def allowed(unit: Unit, order: str, private: Private | None) -> Private | None:
    """Return what may be kept of the personal part of a message that arrives: nothing of what was erased before."""
    if private is None or any(means(each, order, private.contact) for each in personal.erasures(unit.db)):
        return None
    return private


def forget_ended(unit: Unit) -> int:
    """Forget the people of orders whose last session ended the stated number of days ago; needs a trusted clock."""
    if not unit.now.trusted:
        return 0
    before_ms = unit.now.wall_ms - unit.catalogue.limits.personal_data_days * DAY_MS
    sessions = [at for event in unit.catalogue.events for at in event.sessions]
    running = [at.id for at in sessions if at.ends_at_ms >= before_ms]
    ended = personal.ended_orders(unit.db, running, before_ms)
    if ended:
        _forget(unit, ended)
        unit.audit("system", "forget", detail=f"{len(ended)} orders")
    personal.forget_addresses(unit.db, unit.now.boot_id)
    return len(ended)


def _forget(unit: Unit, orders: Collection[str]) -> None:
    def concerned(content: Content, _private: Private) -> bool:
        return getattr(content.body, "order", "") in orders

    if orders:
        personal.forget(unit.db, orders)
        guests.forget(unit.db, orders)
        jobs.drop_with_names(unit.db)
        photos.forget(unit, orders)
        sms.forget(unit, set(orders))
        forget_private(unit.db, CLOUD, concerned)
