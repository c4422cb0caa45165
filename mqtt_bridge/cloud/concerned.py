"""Who has to hear what an operator decided about an order: the device that answers for it and the doors of its sessions."""

from __future__ import annotations

from collections.abc import Iterable

from mqtt_bridge.cloud.accounts import account
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.records import Device, Order, Ticket
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import Downlink, RefundOwed
from mqtt_bridge.protocol.topics import CLOUD


def answers_for(work: Work, issuer: str) -> Device | None:
    """The device that acts as issuer of an order: who sold it or, once that is sealed, who answers for it; None without one."""
    device = work.of(Device).get(issuer)
    if device is None or device.status != "sealed":
        return device
    return work.of(Device).get(device.answered_by) if device.answered_by else None


def tell(
    work: Work, order: Order, sessions: Iterable[str], body: Downlink, catalogues: Catalogues | None = None
) -> None:
    """Write to the device that answers for an order and to the doors of these sessions, once to each."""
    catalogue = (catalogues or Catalogues()).of(work)
    post = Forwarder(work, lambda _session: None)
    issuer = answers_for(work, order.issuer)
    told = set() if issuer is None else {issuer.name}
    venues = {venue for each in sessions if (venue := catalogue.venue_of(each)) is not None}
    for venue in sorted(venues):
        door = post.door(venue)
        if door is None:
            post.to_door(venue, CLOUD, body)
        else:
            told.add(door)
    for name in sorted(told):
        post.send(name, CLOUD, body)


def owe(work: Work, order: Order, why: str) -> None:
    """Tell everybody concerned what is to be paid back for an order in all."""
    found = account(work, order.id)
    sessions = {each.event_session for each in work.of(Ticket).where("order_id", order.id)}
    tell(work, order, sessions, RefundOwed(order.id, found.owed_minor, found.currency, why))
