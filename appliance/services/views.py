"""What use cases answer, as frozen values for screens and the API. Times in ms since the epoch, money in minor units."""

from __future__ import annotations

import msgspec

from appliance.domain.cashup import Takings, Till
from appliance.domain.guestlist import Problem
from appliance.domain.photos import Reason as PhotoReason
from appliance.domain.photos import State as PhotoState
from appliance.domain.sale import SaleState
from appliance.domain.sms import State as SmsState
from mqtt_bridge.protocol.catalogue import Event, EventSession, TicketType, Venue
from mqtt_bridge.protocol.messages import Channel, CodeNews, ExitVerdict, Reason, Verdict, Verify, WaitsFor
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

    ``refund_minor`` is what is paid back for it in all, ``paid_back_minor`` what was; ``waits`` is the waitlist entry that its
    holder was given instead of tickets.
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
    hold: str | None = None
    refund_minor: int = 0
    paid_back_minor: int = 0
    waits: str | None = None
    refusal: str = ""
    changed_to: str | None = None
    proof: VerificationView | None = None

    @property
    def refund_due_minor(self) -> int:
        """What is still to be paid back."""
        return max(0, self.refund_minor - self.paid_back_minor)

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


class PlannedGuest(msgspec.Struct, frozen=True):
    """A right row of a guest list; ``add`` tickets are new, 0 where this guest was imported before."""

    line: int
    name: str
    tickets: int
    type: str
    note: str
    add: int


class GuestPlan(msgspec.Struct, frozen=True):
    """What importing a list would do: ``wanted`` new tickets in all, of which ``short`` are not left here.

    ``fewer`` are guests who have more tickets than the list says: those are not taken away.
    """

    at: EventSession
    rows: tuple[PlannedGuest, ...]
    problems: tuple[Problem, ...]
    ignored: tuple[str, ...]
    fewer: tuple[str, ...]
    wanted: int
    short: int

    @property
    def new(self) -> int:
        """How many rows would be imported."""
        return sum(each.add > 0 for each in self.rows)


class GuestsAdded(msgspec.Struct, frozen=True):
    """What importing a list did; ``left_out`` names the rows that were not imported."""

    guests: int
    tickets: int
    left_out: tuple[Problem, ...]


class SearchView(msgspec.Struct, frozen=True):
    """Orders that a name or a part of a code found, best first; ``more``: there were others beyond them.

    ``door`` says whether this device lets people in, so that its own tickets can be admitted from the list. ``guests`` are the orders
    that came by a guest list, with their notes.
    """

    orders: tuple[OrderView, ...]
    more: bool
    venue: str
    door: bool
    guests: dict[str, str] = {}


class CheckInView(msgspec.Struct, frozen=True):
    """A recorded scan; ``words`` is the verdict as an English sentence, ``previous_at_ms`` when it was admitted before.

    ``rebooked``: the ticket took the place of another one, whose code finds it too. ``way`` is in or out, ``again`` a re-entry.
    """

    id: str
    verdict: Verdict | ExitVerdict
    reason: Reason | None
    words: str
    ticket: TicketView | None
    amount_due_minor: int
    currency: str
    at_ms: int
    holder_name: str = ""
    previous_at_ms: int | None = None
    code: str = ""
    lane: str = ""
    undone: bool = False
    order: str | None = None
    rebooked: bool = False
    way: str = "in"
    again: bool = False


class DoorSession(msgspec.Struct, frozen=True):
    """A session hosted here; switches are ``open``, ``closed`` or None (the clock decides), ``waiting`` entries are open here.

    ``admitted`` came in at least once, ``inside`` of them are inside now, of at most ``capacity``.
    """

    event: Event
    at: EventSession
    door_open: bool
    door_switch: str | None
    sale: str
    sale_switch: str | None
    admitted: int
    sold: int
    waiting: int = 0
    inside: int = 0
    capacity: int = 0


class HardwareView(msgspec.Struct, frozen=True):
    """A device as the desk last saw it."""

    name: str
    state: str
    reason: str
    since_ms: int
    seen_at_ms: int


class PrintJob(msgspec.Struct, frozen=True):
    """A job of the spool; ``document`` is JSON of ``appliance.domain.printing``, ``printer`` the one that had it last.

    ``waits`` while a printer will still take it by itself; ``training``: nothing of it is real, and the paper says so.
    """

    id: int
    kind: str
    document: bytes
    state: str
    reason: str | None
    attempts: int
    reprint_of: int | None
    created_at_ms: int
    changed_at_ms: int
    printer: str = ""
    waits: bool = False
    training: bool = False


class SmsView(msgspec.Struct, frozen=True):
    """A text message to a guest; ``number`` and ``text`` are empty once they were wiped. States: ``domain/sms.py``."""

    id: int
    order_code: str
    number: str
    text: str
    state: SmsState
    reason: str
    attempts: int
    created_at_ms: int
    changed_at_ms: int


class PhotoView(msgspec.Struct, frozen=True):
    """A photo of a ticket's holder: ``wanted``, ``taken`` or ``failed`` with a reason (a key of ``domain/photos.py``).

    ``keep_until_ms`` is when it is deleted, None while the clock cannot tell.
    """

    id: str
    ticket: str
    state: PhotoState
    reason: PhotoReason
    taken_at_ms: int | None
    keep_until_ms: int | None


class DoorView(msgspec.Struct, frozen=True):
    """Everything the staff page shows at a glance; ``sessions`` are those of this venue, in order of time.

    ``retold``: how many parts of a venue that was taken over have arrived, of how many.
    """

    sessions: tuple[DoorSession, ...]
    admitted: int
    sold: int
    unsynced: int
    oldest_unsynced_ms: int
    clock_trusted: bool
    link_up: bool
    door: bool
    frozen: bool
    sealed: bool
    retold: tuple[int, int]
    hardware: tuple[HardwareView, ...]
    jobs: tuple[PrintJob, ...]
    inside: int = 0


class EntryLine(msgspec.Struct, frozen=True):
    """What was entered into a shift: drawer opened, cash put in or taken out, or a correction (with its sign)."""

    kind: str
    minor: int
    note: str
    staff: str
    at_ms: int


class ShiftView(msgspec.Struct, frozen=True):
    """A person at the till; ``till`` is what moved. ``expected_minor`` and ``counted_minor`` are those of the close."""

    number: int
    staff: str
    currency: str
    opened_at_ms: int
    closed_at_ms: int | None
    closed_by: str
    till: Till
    expected_minor: int
    counted_minor: int
    note: str
    entries: tuple[EntryLine, ...]
    timezone: str

    @property
    def corrections(self) -> tuple[EntryLine, ...]:
        """What was found out after the close."""
        return tuple(each for each in self.entries if each.kind == "correction")

    @property
    def difference_minor(self) -> int:
        """Counted less expected, as it was at the close."""
        return self.counted_minor - self.expected_minor


class EveningRow(msgspec.Struct, frozen=True):
    """What a person moved on one evening (ISO date); ``without_shift`` counts the moves outside any shift."""

    evening: str
    staff: str
    takings: Takings
    without_shift: int


class SeenBadge(msgspec.Struct, frozen=True):
    """A lane's scanner read a badge ``ago_s`` seconds ago; whose, is not told."""

    id: str
    lane: str
    ago_s: int


class PasskeyView(msgspec.Struct, frozen=True):
    """A passkey that somebody registered at this device; ``used_at_ms`` is None until its first sign-in."""

    id: str
    badge: str
    name: str
    label: str
    made_at_ms: int
    used_at_ms: int | None


class StaffToken(msgspec.Struct, frozen=True):
    """A fresh sign-in; the token itself is stored nowhere."""

    token: str
    expires_in_s: int
    badge: str
    name: str


class StaffMemberView(msgspec.Struct, frozen=True):
    """Who is signed in; ``training`` names the copy they practise on, empty for real work."""

    badge: str
    name: str
    training: str = ""


class AssetView(msgspec.Struct, frozen=True):
    """A picture of the catalogue."""

    sha256: str
    media_type: str
    body: bytes
