"""Guests without an account: what they know decides what they may, and wrong guesses are few, counted in rows that all workers share.

A page's address may be seen by others, so who changes or cancels an order that has a name or contact says it again. And who lost the
address finds the order with its code and one of the two; every failure of that looks the same and does the same work.

Guessing: a booking code is one of 2^40 (8 letters). At 200 tries per device and quarter of an hour and 10,000 orders, finding any code
takes 2^40 / 10,000 / 200 quarters of an hour, some 15 years, and only leads to the question for the name.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from appliance.domain.client import Client
from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import Invalid, NotFound
from appliance.domain.proofs import proofs, provable
from appliance.services import rates
from appliance.services.box import CommitAndRaise, Unit
from appliance.services.views import OrderView
from appliance.store import holds, orders
from mqtt_bridge.protocol import ids

WINDOW_MS = 15 * MINUTE_MS
TRIES_PER_ORDER = 5
TRIES_PER_PHONE = 10
TRIES_IN_ALL = 200
_TOO_MANY = "That were many wrong tries. Please wait some minutes, or ask at the desk."


class Found(NamedTuple):
    """What a guest may open: ``purpose`` of the page and whose it is."""

    purpose: Literal["hold", "order-view", "order-manage"]
    subject: str


def wants_proof(order: OrderView) -> bool:
    """Return whether changing this order asks for its name or contact."""
    return provable(order.name, order.contact)


def require_proof(unit: Unit, order: OrderView, given: str) -> None:
    """Raise ``Invalid`` (counted) unless ``given`` is the order's name or contact, ``LimitReached`` after too many wrong ones.

    An order that has neither asks for nothing.
    """
    if not wants_proof(order):
        return
    rates.check(unit, "proof", order.id, TRIES_PER_ORDER, WINDOW_MS, _TOO_MANY)
    if not proofs(given, name=order.name, contact=order.contact):
        rates.count(unit, "proof", order.id, WINDOW_MS)
        refusal = Invalid("This is not the name or contact that was given when booking.", field="proof")
        raise CommitAndRaise(refusal)


def find_mine(unit: Unit, code: str, given: str, client: Client, *, hotspot: bool) -> Found:
    """Return the page of who knows a booking code and more: the contact manages, the name shows.

    On the hotspot the phone that booked or holds (known by its address there) needs the code alone. Raises ``NotFound``, the same for
    everything that does not fit, and ``LimitReached`` after too many of those.
    """
    normal = ids.normal_code(code[:64]) or ""
    who = client.id if hotspot else client.address
    limits = (
        ("mine_code", normal or f"none {who}", TRIES_PER_ORDER),
        ("mine_phone", who, TRIES_PER_PHONE),
        ("mine_all", "", TRIES_IN_ALL),
    )
    for kind, about, most in limits:
        rates.check(unit, kind, about, most, WINDOW_MS, _TOO_MANY)
    found = _mine(unit, normal, given, client.id if hotspot else "")
    if found is None:
        for kind, about, _most in limits:
            rates.count(unit, kind, about, WINDOW_MS)
        words = "Nothing fits this code together with this name or contact. Check both, or ask at the desk."
        raise CommitAndRaise(NotFound(words))
    return found


def _mine(unit: Unit, code: str, given: str, phone: str) -> Found | None:
    """Both are looked for, and what was given is compared with something, whether there is such a code or not."""
    ids_found, held = orders.by_code(unit.db, code), holds.open_by_code(unit.db, code)
    row = orders.find(unit.db, ids_found[0] if len(ids_found) == 1 else "")
    known = proofs(given, name="" if row is None else row.name, contact="" if row is None else row.contact)
    if row is not None and (known or (phone and row.client == phone)):
        may_manage = "contact" in known or bool(phone and row.client == phone)
        return Found("order-manage" if may_manage else "order-view", row.id)
    return Found("hold", held.id) if held is not None and phone and held.client == phone else None
