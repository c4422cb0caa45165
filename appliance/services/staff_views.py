"""What use cases answer to staff, as frozen values for screens and the API. Times in ms since the epoch, money in minor units."""

from __future__ import annotations

import msgspec

from appliance.domain.cashup import Takings, Till
from appliance.domain.guestlist import Problem
from appliance.domain.photos import Reason as PhotoReason
from appliance.domain.photos import State as PhotoState
from appliance.domain.sms import State as SmsState
from appliance.services.views import OrderView, TicketView
from mqtt_bridge.protocol.catalogue import Event, EventSession
from mqtt_bridge.protocol.messages import ExitVerdict, Reason, Verdict


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
    """A device as the desk last saw it; ``silent``: too long ago to say anything about now, or before this boot."""

    name: str
    state: str
    reason: str
    since_ms: int
    seen_at_ms: int
    silent: bool


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
