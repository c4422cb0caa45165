"""What use cases answer to guests, as frozen values for screens and the API. Times in ms since the epoch, money in minor units."""

from __future__ import annotations

import msgspec

from appliance.domain.sale import SaleState
from mqtt_bridge.protocol.catalogue import Event, EventSession, TicketType, Venue
from mqtt_bridge.protocol.messages import Channel, CodeNews, Verify, WaitsFor
from mqtt_bridge.protocol.money import owed_back
from mqtt_bridge.protocol.waitlist import State as WaitlistState


class TypeView(msgspec.Struct, frozen=True):
    """A ticket type with what is free here, and the most one guest may hold at once."""

    type: TicketType
    available: int
    state: SaleState
    max_quantity: int


class SessionView(msgspec.Struct, frozen=True):
    """A dated occurrence; ``here`` if this venue hosts it."""

    event: Event
    at: EventSession
    venue: Venue
    here: bool
    types: tuple[TypeView, ...]


class EventView(msgspec.Struct, frozen=True):
    """A production with its sessions in order of time; ended ones are left out where the clock is trusted."""

    event: Event
    sessions: tuple[SessionView, ...]


class ListingView(msgspec.Struct, frozen=True):
    """Everything on offer, as of a moment."""

    as_of_ms: int
    events: tuple[EventView, ...]


class BrowseView(msgspec.Struct, frozen=True):
    """One page of the events that fit what was asked for: ``found`` of ``all``, each with the sessions that fit.

    ``venues``, ``days`` (ISO dates) and ``prices`` (``free`` or whole units) are what there is to choose from; ``knows_today``: the clock
    is trusted, so that "tonight" means something.
    """

    as_of_ms: int
    events: tuple[EventView, ...]
    found: int
    page: int
    pages: int
    all: tuple[EventView, ...]
    venues: tuple[Venue, ...]
    days: tuple[str, ...]
    prices: tuple[str, ...]
    knows_today: bool


class AvailabilityView(msgspec.Struct, frozen=True):
    """(ticket type, available) pairs and the state of each; ``etag`` changes when any of them does."""

    as_of_ms: int
    items: tuple[tuple[str, int], ...]
    states: tuple[SaleState, ...]
    etag: str


class HoldLine(msgspec.Struct, frozen=True):
    """Tickets of one type in a hold."""

    type: TicketType
    event: Event
    at: EventSession
    quantity: int


class HoldView(msgspec.Struct, frozen=True):
    """A hold; ``state`` is open, confirmed, released or expired, ``order`` the id of the order it became.

    ``entry`` is the waitlist entry it is an offer for. ``verify`` is what has to be proven before its tickets admit.
    """

    id: str
    code: str
    state: str
    items: tuple[HoldLine, ...]
    expires_at_ms: int
    expires_in_ms: int
    total_minor: int
    currency: str
    requested: bool
    order: str | None = None
    verify: Verify | None = None
    entry: str | None = None


class EntryView(msgspec.Struct, frozen=True):
    """A place on a waitlist; ``position`` counts from 1 (None unless waiting) among ``of`` who wait.

    ``as_of_ms`` is when the rest of the line was last known, ``complete`` whether it is known now (the link is up). ``hold`` is
    its offer, ``order`` what was made of it.
    """

    id: str
    state: WaitlistState
    items: tuple[HoldLine, ...]
    position: int | None
    of: int
    as_of_ms: int
    complete: bool
    joined_at_ms: int
    hold: HoldView | None
    order: str | None


class TicketView(msgspec.Struct, frozen=True):
    """One admission; what the catalogue here does not know (yet) has empty names and zero times.

    ``replaced_by`` is the id of the ticket it was rebooked to, ``moved_from`` where its moved session was to take place.
    ``check_in`` is the scan that let somebody in on it; ``outside``: they went out again since.
    """

    id: str
    code: str
    type: TicketType
    event: Event
    at: EventSession
    venue: Venue
    receipt: str
    price_minor: int
    voided: bool
    admitted_at_ms: int | None
    replaced_by: str | None = None
    moved_from: Venue | None = None
    check_in: str | None = None
    outside: bool = False


class VerificationView(msgspec.Struct, frozen=True):
    """What a pre-enrolment has to prove and how far it is; ``contact`` is shown in part. See ``store/tables/orders.py`` for the words."""

    verify: Verify
    channel: Channel
    waits_for: WaitsFor
    news: CodeNews
    tries_left: int
    contact: str
    member: str
    decided_by: str


class OrderView(msgspec.Struct, frozen=True):
    """An order with its tickets; ``issuer`` is the device that sold it, ``hold`` the hold it came of (if sold here).

    ``whole`` is false where only tickets that an operator decided about are known.
    ``taken_minor`` is the money in ``paid_minor``, which counts what was given away too. ``refund_minor`` is what the cloud said is
    paid back for it in all, ``paid_back_minor`` what was; ``waits`` is the waitlist entry that its holder was given instead of tickets.
    ``refusal`` is the cloud's reason where the status is refused, ``changed_to`` the order that its guest took instead.
    ``proof``: what it has or had to prove, if anything.
    """

    id: str
    code: str
    status: str
    payment: str
    total_minor: int
    currency: str
    name: str
    contact: str
    issuer: str
    created_at_ms: int
    tickets: tuple[TicketView, ...]
    paid_minor: int
    taken_minor: int = 0
    whole: bool = True
    hold: str | None = None
    refund_minor: int = 0
    paid_back_minor: int = 0
    waits: str | None = None
    refusal: str = ""
    changed_to: str | None = None
    proof: VerificationView | None = None

    @property
    def owed_back_minor(self) -> int:
        """What is paid back for it in all: on the cloud's word, or because its tickets that stand cost less than was taken.

        A ticket on which somebody came in was used, whatever became of it afterwards. Where only a part of it is known, the cloud's
        word alone counts.
        """
        if not self.whole:
            return self.refund_minor
        used = (each for each in self.standing if not each.voided or each.admitted_at_ms is not None)
        return owed_back(self.refund_minor, self.taken_minor, sum(each.price_minor for each in used))

    @property
    def refund_due_minor(self) -> int:
        """What is still to be paid back."""
        return max(0, self.owed_back_minor - self.paid_back_minor)

    @property
    def called_off(self) -> bool:
        """Whether the date of a ticket that still stands does not take place."""
        return any(each.at.cancelled and not each.voided for each in self.standing)

    @property
    def standing(self) -> tuple[TicketView, ...]:
        """Its tickets without those that others took the place of."""
        return tuple(each for each in self.tickets if each.replaced_by is None)

    def replaced(self, ticket: TicketView) -> TicketView | None:
        """Return the ticket that this one took the place of."""
        return next((each for each in self.tickets if each.replaced_by == ticket.id), None)

    @property
    def due_minor(self) -> int:
        """What is still to be paid."""
        return max(0, self.total_minor - self.paid_minor) if self.payment == "promised" else 0


class AssetView(msgspec.Struct, frozen=True):
    """A picture of the catalogue."""

    sha256: str
    media_type: str
    body: bytes
