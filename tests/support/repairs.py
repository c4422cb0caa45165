"""What the cloud tells a box about tickets and dates that an operator changed."""

from __future__ import annotations

from typing import Any

import msgspec

from appliance.services import sync
from appliance.services.selling import fact
from appliance.services.views import OrderView
from appliance.store import orders
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import (
    Content,
    Downlink,
    Envelope,
    OrderRebooked,
    Payment,
    StockCount,
    Swap,
    TicketFact,
    TicketsWithdrawn,
)
from mqtt_bridge.protocol.stock import Totals
from tests.support.box import TestBox, example_catalogue


def tell(box: TestBox, body: Downlink, origin: str = "cloud", inc: str = "1") -> None:
    """Have a downlink message applied."""
    content = Content(v=1, org="org", sender="cloud", origin=origin, inc=inc, seq=1, body=body, wall_ms=0)
    box.run(lambda unit: sync.apply_message(unit, content, None))


def told(box: TestBox, *kinds: type) -> list[Any]:
    """Return the messages of these kinds in the outbox."""
    rows = box.look(lambda unit: unit.mail.unacked("cloud", unit.inc))
    bodies = [decode(decode(row.envelope, Envelope).content, Content).body for row in rows]
    return [each for each in bodies if isinstance(each, kinds)]


def facts(box: TestBox, order_id: str) -> tuple[TicketFact, ...]:
    """Return an order's tickets as messages carry them."""
    return box.look(lambda unit: tuple(fact(row) for row in orders.tickets(unit.db, order_id)))


def _payment(order: OrderView) -> Payment:
    return "paid" if order.payment == "paid" else "promised"


def withdrawn(box: TestBox, order: OrderView) -> TicketsWithdrawn:
    """All tickets of an order are taken back."""
    return TicketsWithdrawn(order.id, order.code, order.issuer, _payment(order), facts(box, order.id), "oversold")


def rebooked(box: TestBox, order: OrderView, kind: str, session: str, quota: str) -> OrderRebooked:
    """All tickets of an order are replaced by such of another session."""

    def swap(number: int, old: TicketFact) -> Swap:
        ticket = ids.secret(bytes([number]) * 16)
        new = TicketFact(ticket, ids.code(bytes([number]) * 5), kind, session, quota, 1, old.price_minor, "EUR")
        return Swap(old, new)

    swaps = tuple(swap(k + 1, old) for k, old in enumerate(facts(box, order.id)))
    who = (order.id, order.code, order.issuer, order.issuer, _payment(order))
    stock = (StockCount(quota, 1, Totals(confirmed=len(swaps))),)
    return OrderRebooked(*who, swaps, "session-cancelled", stock)


def with_session(version: int, session: str, **changes: Any) -> Catalogue:
    """The example with one session changed."""
    catalogue = example_catalogue(version=version)
    (event,) = catalogue.events
    sessions = tuple(msgspec.structs.replace(at, **changes) if at.id == session else at for at in event.sessions)
    return msgspec.structs.replace(catalogue, events=(msgspec.structs.replace(event, sessions=sessions),))


def import_into(box: TestBox, catalogue: Catalogue) -> None:
    """Have a newer catalogue applied."""
    box.run(lambda unit: sync.apply_catalogue(unit, catalogue))
