"""The catalogue as it travels: what is sold, where and when, with ids already derived."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from mqtt_bridge.protocol.bodies import Verify

Policy = Literal["strict", "provisional", "optimistic"]


class Brand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose pages these are: a name instead of the product's, a ``colour`` as ``#rrggbb``, the sha256 of a ``logo``; all optional."""

    name: str = ""
    colour: str | None = None
    logo: str | None = None


# What equals its default is not sent, so that a device of an older version, which refuses fields that it does not know, is
# stopped only by what is used.
class Venue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A place that hosts event sessions; ``id`` is the catalogue's own key. Its ``brand`` stands before the catalogue's."""

    id: str
    name: str
    address: str
    brand: Brand | None = None


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named limit across all venues; ``extra`` is the ``max`` of ``optimistic(max)`` types drawing from it."""

    id: str
    name: str
    limit: int
    extra: int = 0


class TicketType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sold; price in minor units of ``currency``.

    With ``verify`` its tickets admit once the contact was proven, or a membership besides; never together with ``provisional``.
    """

    id: str
    name: str
    quota: str
    price_minor: int
    currency: str
    policy: Policy = "strict"
    verify: Verify | None = None


class Moved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where and when a session was to take place before an operator moved it; ``at_ms`` is when that was decided."""

    venue: str
    starts_at_ms: int
    ends_at_ms: int
    at_ms: int


class EventSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One dated occurrence; times in ms since the Unix epoch, ``timezone`` an IANA name for showing them.

    ``sale_opens_at_ms`` and ``sale_closes_at_ms`` bound the sale where the clock is trusted; None means from now on and
    until the session ends. With ``re_entry`` who went out may come in again on the same ticket. ``capacity`` is how many people may
    be inside at once, None for the sum of the quotas. ``badges``: whoever is admitted gets a name badge printed. ``moved`` and ``notice`` (an operator's words for the holders) come from the console, not from the file.
    """

    id: str
    key: str
    venue: str
    starts_at_ms: int
    ends_at_ms: int
    timezone: str
    quotas: tuple[Quota, ...]
    ticket_types: tuple[TicketType, ...]
    sale_opens_at_ms: int | None = None
    sale_closes_at_ms: int | None = None
    cancelled: bool = False
    moved: Moved | None = None
    notice: str = ""
    re_entry: bool = False
    capacity: int | None = None
    badges: bool = False

    @property
    def room_for(self) -> int:
        """How many people may be inside at once: as stated, else as many as there can be tickets."""
        return sum(each.limit + each.extra for each in self.quotas) if self.capacity is None else self.capacity


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A production; ``image`` is the sha256 of a WebP asset of at most 640 px width, ``image_small`` of one of 320 px.

    ``image_tiny`` is a data URI of some pixels, to be shown until one of them has arrived. ``tags`` are the organiser's own words for what it is like.
    """

    id: str
    slug: str
    title: str
    summary: str
    sessions: tuple[EventSession, ...]
    image: str | None = None
    image_alt: str = ""
    image_tiny: str | None = None
    image_small: str | None = None
    tags: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one client may do; see docs/catalogue.md for each default's reason.

    ``share_per_client`` is a fraction (0, 1] of the remaining stock; one ticket is always allowed. ``unpaid_until`` is minutes
    relative to the start (negative: before) at which unpaid orders are cancelled, or None for a staff switch. ``request_share``
    is the fraction (0, 1] of a quota's limit that one device may have in open requests; four tickets always.
    ``personal_data_days`` after the end of its last session an order forgets name and contact. ``verify_until`` is minutes relative
    to the start at which what is not verified is refused, or None: then staff decide at the door.
    """

    per_hold: int = 8
    holds_per_client: int = 2
    unpaid_per_client: int = 8
    free_per_client: int = 4
    share_per_client: float = 0.5
    hold_minutes: float = 10.0
    offer_minutes: float = 20.0
    new_clients_per_minute: int = 60
    unpaid_until: int | None = None
    request_share: float = 0.1
    personal_data_days: int = 30
    verify_until: int | None = None


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What printers print: the organiser's templates as (kind, text), the sha256 of a logo, and whether cash opens the drawer.

    Devices that cannot use a template print their own, so the texts are not checked here.
    """

    templates: tuple[tuple[str, str], ...] = ()
    logo: str | None = None
    drawer: bool = False


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to show an event; None leaves what the event says. The first of an experiment is the one it is compared with."""

    name: str
    title: str | None = None
    summary: str | None = None
    image: str | None = None
    image_alt: str | None = None
    image_tiny: str | None = None


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question about an event, registered before anybody sees it: what is expected to move which figure, and when it ends.

    ``metric`` is the stage counted per phone that has ``seen`` the event; the answer is read once ``sample`` phones per variant
    have seen it or ``until_ms`` is over, not before. It runs from ``starts_at_ms`` to ``until_ms``; at most one per event at a time.
    """

    key: str
    event: str
    hypothesis: str
    metric: Literal["held", "confirmed", "admitted"]
    sample: int
    starts_at_ms: int
    until_ms: int
    variants: tuple[Variant, ...]


class StaffMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person at the door; ``pin_hash`` is ``scrypt$n$r$p$salt$hash`` (hex), ``venues`` empty means all.

    With ``card`` they sign in with a badge that was issued to them; typing its name is not enough.
    """

    badge: str
    name: str
    pin_hash: str
    venues: tuple[str, ...] = ()
    card: bool = False


class Dated(NamedTuple):
    """A session and its event."""

    event: Event
    at: EventSession


class Offered(NamedTuple):
    """A ticket type, its session and its event."""

    event: Event
    at: EventSession
    kind: TicketType


class Limited(NamedTuple):
    """A quota, its session and its event."""

    event: Event
    at: EventSession
    quota: Quota


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, dict=True):
    """Everything on sale; ``version`` grows with every import that changed something."""

    version: int
    venues: tuple[Venue, ...] = ()
    events: tuple[Event, ...] = ()
    limits: Limits = Limits()
    staff: tuple[StaffMember, ...] = ()
    paper: Paper = Paper()
    experiments: tuple[Experiment, ...] = ()
    brand: Brand | None = None

    def brand_of(self, venue: str) -> Brand:
        """Return how the pages of a venue are branded: what its own brand leaves out is the catalogue's."""
        place, whole = self.venue.get(venue), self.brand or Brand()
        own = (place.brand if place else None) or Brand()
        return Brand(own.name or whole.name, own.colour or whole.colour, own.logo or whole.logo)

    def venue_of(self, event_session: str) -> str | None:
        """Return the id of the venue that hosts a session, None for one that is not in here."""
        found = self.event_session.get(event_session)
        return None if found is None else found.at.venue

    @cached_property
    def images(self) -> frozenset[str]:
        """The sha256 of every picture it names."""
        shown = (variant.image for each in self.experiments for variant in each.variants)
        posters = (each for event in self.events for each in (event.image, event.image_small))
        logos = (each.logo for each in (self.brand, *(venue.brand for venue in self.venues)) if each)
        named = {self.paper.logo, *posters, *shown, *logos}
        return frozenset(each for each in named if each is not None)

    @cached_property
    def venue(self) -> dict[str, Venue]:
        """Venues by id."""
        return {each.id: each for each in self.venues}

    @cached_property
    def event(self) -> dict[str, Event]:
        """Events by slug."""
        return {each.slug: each for each in self.events}

    @cached_property
    def event_session(self) -> dict[str, Dated]:
        """Sessions by id."""
        return {each.id: Dated(event, each) for event in self.events for each in event.sessions}

    @cached_property
    def ticket_type(self) -> dict[str, Offered]:
        """Ticket types by id."""
        return {
            each.id: Offered(event, at, each)
            for event in self.events
            for at in event.sessions
            for each in at.ticket_types
        }

    @cached_property
    def quota(self) -> dict[str, Limited]:
        """Quotas by id."""
        return {
            each.id: Limited(event, at, each) for event in self.events for at in event.sessions for each in at.quotas
        }


EMPTY = Catalogue(version=0)
