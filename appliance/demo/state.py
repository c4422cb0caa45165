"""What the demo page shows of a venue, read from its rows and its simulated hardware."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from appliance.demo.crowd import Crowd, CrowdState
from appliance.demo.devices import DemoLamp, Simulated
from appliance.demo.mailbox import Mailbox
from appliance.demo.truth import Auditor, Truth
from appliance.demo.venue import DemoVenue
from appliance.domain.clock import Now
from appliance.domain.inventory import Shelf
from appliance.services import door, overview
from appliance.services.box import Unit
from appliance.services.listing import listing
from appliance.services.staff_views import CheckInView, DoorView
from appliance.services.stock import visible_shelves
from appliance.services.views import SessionView
from appliance.web.formats import local

FRESH_S = 0.4
MAILS_SHOWN = 5


class TypeState(msgspec.Struct, frozen=True):
    """A ticket type: ``available`` of the ``granted`` tickets of its quota here, ``state`` as in the API."""

    ticket_type: str
    name: str
    quota: str
    available: int
    granted: int
    state: str


class SessionState(msgspec.Struct, frozen=True):
    """An event session with what this venue may sell of it; ``hosted`` if its door is here."""

    title: str
    when: str
    venue: str
    hosted: bool
    types: tuple[TypeState, ...]


class ScanState(msgspec.Struct, frozen=True):
    """The latest scan at this door."""

    check_in: str
    verdict: str
    reason: str | None
    words: str
    code: str
    at_ms: int


class PrinterState(msgspec.Struct, frozen=True):
    """The simulated printer (``fault``), what the desk says of it, and the spool by state."""

    fault: str | None
    state: str
    reason: str
    printed: int
    jobs: dict[str, int]


class DeviceState(msgspec.Struct, frozen=True):
    """A piece of hardware: what is wrong with it (``fault``, one of ``faults``), what the desk says, what a lamp shows."""

    name: str
    fault: str | None
    faults: tuple[str, ...]
    state: str
    reason: str
    shows: str | None


class VenueState(msgspec.Struct, frozen=True):
    """One venue, as of the clock time ``as_of``. ``link`` is the cable, ``cloud`` whether the reconciler answers, ``unsynced`` rows in the outbox."""

    k: int
    id: str
    name: str
    url: str
    as_of_ms: int
    as_of: str
    link: bool
    cloud: bool
    unsynced: int
    oldest_unsynced_ms: int
    sold: int
    admitted: int
    sessions: tuple[SessionState, ...]
    last_scan: ScanState | None
    printer: PrinterState
    hardware: dict[str, str]
    devices: tuple[DeviceState, ...]
    processes: dict[str, int | None]


class MailState(msgspec.Struct, frozen=True):
    """A mail that arrived in the town's one mailbox."""

    to: str
    subject: str
    text: str


class TownState(msgspec.Struct, frozen=True):
    """All venues, the crowd, whether any number is wrong, and the latest mails to guests, newest first."""

    as_of_ms: int
    venues: tuple[VenueState, ...]
    crowd: CrowdState | None = None
    truth: Truth | None = None
    mails: tuple[MailState, ...] = ()


class Reader:
    """Reads a town at most every ``FRESH_S`` seconds, however many pages ask."""

    def __init__(self, venues: list[DemoVenue], crowd: Crowd, auditor: Auditor, mailbox: Mailbox) -> None:
        self._venues = venues
        self._mailbox = mailbox
        self._crowd = crowd
        self._auditor = auditor
        self._lock = threading.Lock()
        self._read_s = 0.0
        self._state = TownState(0, ())

    def read(self, pids: Mapping[tuple[str, str], int | None]) -> TownState:
        """Return the state, from moments ago at most."""
        with self._lock:
            if time.monotonic() - self._read_s > FRESH_S or not self._state.venues:
                states = tuple(_venue(each, pids) for each in self._venues)
                now_ms = time.time_ns() // 1_000_000
                latest = list(self._mailbox.mails)[: -MAILS_SHOWN - 1 : -1]
                mails = tuple(MailState(each.to, each.subject, each.text) for each in latest)
                self._state = TownState(now_ms, states, self._crowd.state, self._auditor.look(), mails)
                self._read_s = time.monotonic()
            return self._state

    def forget(self) -> None:
        """Read anew at the next call, because something was changed."""
        self._read_s = 0.0


def _venue(venue: DemoVenue, pids: Mapping[tuple[str, str], int | None]) -> VenueState:
    now, view, sessions, scans = venue.box.look(_look)
    last = scans[0] if scans else None
    return VenueState(
        k=venue.k,
        id=venue.venue.id,
        name=venue.venue.name,
        url=venue.url,
        as_of_ms=now.wall_ms,
        as_of=f"{datetime.fromtimestamp(now.wall_ms / 1000, UTC).astimezone():%H:%M:%S}",
        link=venue.link.up,
        cloud=view.link_up,
        unsynced=view.unsynced,
        oldest_unsynced_ms=view.oldest_unsynced_ms,
        sold=view.sold,
        admitted=view.admitted,
        sessions=sessions,
        last_scan=None if last is None else scan_state(last),
        printer=_printer(venue, view),
        hardware={each.name: each.state for each in view.hardware},
        devices=tuple(_device(each, view) for each in venue.devices),
        processes={process: pid for (owner, process), pid in pids.items() if owner == venue.venue.id},
    )


def _look(unit: Unit) -> tuple[Now, DoorView, tuple[SessionState, ...], tuple[CheckInView, ...]]:
    shelves = visible_shelves(unit)
    views = sorted(
        (each for event in listing(unit).events for each in event.sessions), key=lambda view: view.at.starts_at_ms
    )
    sessions = tuple(_session(each, shelves) for each in views)
    return unit.now, overview.door_view(unit), sessions, door.recent(unit, 1)


def _session(view: SessionView, shelves: Mapping[str, Shelf]) -> SessionState:
    types = tuple(
        TypeState(
            ticket_type=each.type.id,
            name=each.type.name,
            quota=each.type.quota,
            available=each.available,
            granted=shelf.grant if (shelf := shelves.get(each.type.quota)) else 0,
            state=each.state,
        )
        for each in view.types
    )
    starts = local(view.at.starts_at_ms, view.at.timezone)
    return SessionState(
        view.event.title, f"{starts:%a} {starts.day} {starts:%b, %H:%M}", view.venue.name, view.here, types
    )


def scan_state(view: CheckInView) -> ScanState:
    """Return a scan as the page shows it."""
    return ScanState(view.id, view.verdict, view.reason, view.words, view.code, view.at_ms)


def _device(device: Simulated, view: DoorView) -> DeviceState:
    said = next((each for each in view.hardware if each.name == device.name), None)
    return DeviceState(
        name=device.name,
        fault=device.fault,
        faults=device.faults,
        state=said.state if said else "unknown",
        reason=said.reason if said else "The desk has not said anything yet.",
        shows=device.shown if isinstance(device, DemoLamp) else None,
    )


def _printer(venue: DemoVenue, view: DoorView) -> PrinterState:
    said = next((each for each in view.hardware if each.name == "printer"), None)
    return PrinterState(
        fault=venue.printer.fault,
        state=said.state if said else "unknown",
        reason=said.reason if said else "The desk has not said anything yet.",
        printed=venue.printer.printer.count,
        jobs=dict(Counter(job.state for job in view.jobs)),
    )
