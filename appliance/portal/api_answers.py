"""What the API answers, and how it is made from the views of the use cases. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from appliance.domain.booking import OrderStatus
from appliance.domain.sale import SaleState
from appliance.services.staff_views import CheckInView, SearchView, StaffToken
from appliance.services.views import (
    AvailabilityView,
    EntryView,
    EventView,
    HoldView,
    ListingView,
    OrderView,
    SessionView,
    TicketView,
)
from appliance.web import freshness
from appliance.web.formats import exact
from mqtt_bridge.protocol.messages import (
    Channel,
    CodeNews,
    ExitVerdict,
    Payment,
    Reason,
    Refusal,
    Verdict,
    Verify,
    WaitsFor,
)
from mqtt_bridge.protocol.money import Money, from_minor
from mqtt_bridge.protocol.waitlist import State as WaitlistState

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]


class ListedVenue(msgspec.Struct, frozen=True):
    """Where a session takes place."""

    id: str
    name: str
    address: str


class ListedType(msgspec.Struct, frozen=True):
    """A ticket type; ``available`` is what this device may promise now."""

    id: str
    name: str
    quota: str
    price: Money
    available: Count
    state: SaleState
    verify: Verify | UnsetType = UNSET


class ListedSession(msgspec.Struct, frozen=True):
    """A dated occurrence of an event; ``here`` if this device's venue hosts it."""

    id: str
    starts_at: Time
    ends_at: Time
    timezone: str
    here: bool
    venue: ListedVenue
    ticket_types: list[ListedType]


class ListedEvent(msgspec.Struct, frozen=True):
    """An event with its sessions in order of time; ``image`` is an address on this device."""

    id: str
    slug: str
    title: str
    summary: str
    image: str | None
    image_alt: str
    sessions: list[ListedSession]


class EventList(msgspec.Struct, frozen=True):
    """Everything on offer, as of a moment."""

    as_of: Time
    events: list[ListedEvent]


class AvailableItem(msgspec.Struct, frozen=True):
    """What this device may promise of one ticket type, and the state that a page should show."""

    ticket_type: str
    available: Count
    state: SaleState


class Availability(msgspec.Struct, frozen=True):
    """Availability of every ticket type; good for ``max_age`` seconds."""

    as_of: Time
    max_age: Count
    items: list[AvailableItem]


class Hold(msgspec.Struct, frozen=True):
    """A hold: keep the id, it is the right to confirm or release. ``expires_in`` counts seconds from now.

    ``requested``: no stock is claimed; confirming it asks the cloud, which answers later. ``verify``: what has to be proven then, for
    which it needs a contact (and a member number).
    """

    hold: str
    code: str
    expires_at: Time
    expires_in: Count
    requested: bool
    total: Money
    verify: Verify | UnsetType = UNSET


class EntryItem(msgspec.Struct, frozen=True):
    """So many tickets of one type."""

    ticket_type: str
    quantity: Count


class Entry(msgspec.Struct, frozen=True):
    """A place on a waitlist: keep the id, it is the right to see, take and leave it.

    ``position`` counts from 1 among ``of`` who wait, as of ``as_of`` (null unless ``waiting``). When ``offered``, confirm ``hold``
    within ``expires_in`` seconds; when ``taken``, ``order`` is what it became.
    """

    entry: str
    state: WaitlistState
    items: list[EntryItem]
    position: Annotated[int, Meta(ge=1)] | None
    of: Count
    as_of: Time
    hold: str | None
    expires_at: Time | None
    expires_in: Count | None
    order: str | None


class OrderTicket(msgspec.Struct, frozen=True):
    """One admission; ``receipt`` is the signed text of the QR code, empty while the order is only requested.

    ``replaced_by`` is the id of the ticket it was rebooked to, among those of the same order.
    """

    ticket: str
    ticket_type: str
    code: str
    receipt: str
    replaced_by: str | None


class Proof(msgspec.Struct, frozen=True):
    """What a pending order waits for; ``news`` is what was said of the code last, empty while it is under way."""

    verify: Verify
    channel: Channel
    waits_for: WaitsFor
    news: CodeNews
    tries_left: Count


class Order(msgspec.Struct, frozen=True):
    """An order: keep the id, it is the right to see and cancel it. Names are never repeated here.

    ``refund`` is what is still to be paid back at a desk.
    ``requested`` waits for the cloud's answer; ``refusal`` says why it became ``refused``. ``proof``: what a ``pending`` one waits for.
    """

    order: str
    code: str
    status: OrderStatus
    payment: Payment
    total: Money
    due: Money
    tickets: list[OrderTicket]
    refund: Money
    refusal: Refusal | None = None
    proof: Proof | UnsetType = UNSET


class FoundOrder(msgspec.Struct, frozen=True):
    """An order that staff looked up; ``name`` is empty where this device was never told it."""

    name: str
    order: Order


class FoundOrders(msgspec.Struct, frozen=True):
    """What a name or a part of a code found, best first; ``more``: there are others."""

    orders: list[FoundOrder]
    more: bool


class StaffSignIn(msgspec.Struct, frozen=True):
    """A bearer token; ``expires_in`` in seconds."""

    token: str
    expires_in: Count


class Token(msgspec.Struct, frozen=True):
    """A token of the gateway; ``expires_in`` in seconds at this venue, elsewhere it is good while the date's door is open."""

    token: str
    audience: Literal["attendee", "viewer"]
    purpose: Literal["order", "watch"]
    event_session: str
    expires_in: Count


class Admits(msgspec.Struct, frozen=True):
    """What a scanned ticket is for, as the door needs to see it."""

    ticket_type: str
    name: str
    event: str
    starts_at: Time
    venue: str
    code: str


class CheckIn(msgspec.Struct, frozen=True):
    """A recorded scan: ``ticket`` is the id of the ticket it found, ``words`` says the verdict, ``due`` is still to be paid."""

    check_in: str
    verdict: Verdict | ExitVerdict
    reason: Reason | None
    ticket: str | None
    words: str
    admits: Admits | None
    due: Money | None
    previous_at: Time | None


class ProblemAnswer(msgspec.Struct, frozen=True):
    """RFC 9457; further members depend on the type, for example ``field``, ``available`` or ``retry_after_s``."""

    type: str
    title: str
    status: int
    detail: str


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"]


class Readiness(msgspec.Struct, frozen=True):
    """Whether this device can sell, check by check; a failed check says what is wrong."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, str]


def event_list(view: ListingView) -> EventList:
    """Return the wire form of a listing."""
    return EventList(exact(view.as_of_ms), [_event(each) for each in view.events])


def _event(view: EventView) -> ListedEvent:
    event = view.event
    image = f"/assets/{event.image}.webp" if event.image else None
    sessions = [_session(each) for each in view.sessions]
    return ListedEvent(event.id, event.slug, event.title, event.summary, image, event.image_alt, sessions)


def _session(view: SessionView) -> ListedSession:
    at, venue = view.at, view.venue
    types = [
        ListedType(
            each.type.id,
            each.type.name,
            each.type.quota,
            from_minor(each.type.price_minor, each.type.currency),
            each.available,
            each.state,
            each.type.verify or UNSET,
        )
        for each in view.types
    ]
    return ListedSession(
        at.id,
        exact(at.starts_at_ms),
        exact(at.ends_at_ms),
        at.timezone,
        view.here,
        ListedVenue(venue.id, venue.name, venue.address),
        types,
    )


def availability(view: AvailabilityView) -> Availability:
    """Return the wire form of availability."""
    good_for_s = freshness.AVAILABILITY.max_age_s or 0
    items = [AvailableItem(*each, state) for each, state in zip(view.items, view.states, strict=True)]
    return Availability(exact(view.as_of_ms), good_for_s, items)


def hold(view: HoldView) -> Hold:
    """Return the wire form of a hold."""
    left_s = max(0, view.expires_in_ms // 1000)
    total = from_minor(view.total_minor, view.currency)
    return Hold(view.id, view.code, exact(view.expires_at_ms), left_s, view.requested, total, view.verify or UNSET)


def entry(view: EntryView) -> Entry:
    """Return the wire form of a place on a waitlist."""
    offer = view.hold if view.state == "offered" else None
    return Entry(
        entry=view.id,
        state=view.state,
        items=[EntryItem(each.type.id, each.quantity) for each in view.items],
        position=view.position,
        of=view.of,
        as_of=exact(view.as_of_ms),
        hold=offer.id if offer is not None else None,
        expires_at=exact(offer.expires_at_ms) if offer is not None else None,
        expires_in=max(0, offer.expires_in_ms // 1000) if offer is not None else None,
        order=view.order,
    )


def order(view: OrderView) -> Order:
    """Return the wire form of an order."""
    tickets = [OrderTicket(each.id, each.type.id, each.code, each.receipt, each.replaced_by) for each in view.tickets]
    total = from_minor(view.total_minor, view.currency)
    due = from_minor(view.due_minor, view.currency)
    refund = from_minor(view.refund_due_minor, view.currency)
    # The view's status and payment come from the rows, whose values are those of the state tables.
    refusal = view.refusal or None
    proof: Proof | UnsetType = UNSET
    if view.proof is not None and view.status == "pending":
        proof = Proof(*(getattr(view.proof, name) for name in Proof.__struct_fields__))
    return Order(view.id, view.code, view.status, view.payment, total, due, tickets, refund, refusal, proof)  # type: ignore[arg-type]


def found_orders(view: SearchView) -> FoundOrders:
    """Return the wire form of what a search found."""
    return FoundOrders([FoundOrder(each.name, order(each)) for each in view.orders], view.more)


def staff_sign_in(view: StaffToken) -> StaffSignIn:
    """Return the wire form of a sign-in."""
    return StaffSignIn(view.token, view.expires_in_s)


def check_in(view: CheckInView) -> CheckIn:
    """Return the wire form of a scan; no name of a person, because first answers are kept for replays."""
    return CheckIn(
        check_in=view.id,
        verdict=view.verdict,
        reason=view.reason,
        ticket=view.ticket.id if view.ticket is not None else None,
        words=view.words,
        admits=_admits(view.ticket) if view.ticket is not None else None,
        due=from_minor(view.amount_due_minor, view.currency) if view.amount_due_minor else None,
        previous_at=exact(view.previous_at_ms) if view.previous_at_ms is not None else None,
    )


def _admits(view: TicketView) -> Admits:
    return Admits(
        view.type.id, view.type.name, view.event.title, exact(view.at.starts_at_ms), view.venue.name, view.code
    )
