"""What the door page shows, in words: the newest scan, and how this box office is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from appliance.domain import hardware
from appliance.portal.cards import timezone_of
from appliance.services import door, listing, overview, photos
from appliance.services.arrivals import Arrivals, arrivals
from appliance.services.box import Unit
from appliance.services.staff_views import CheckInView, DoorSession, DoorView, HardwareView, PrintJob
from appliance.web.texts import _, plural

Once = Callable[[Unit], bytes]
SHOWN_SCANS = 8
SHOWN_JOBS = 10
VERDICT_LASTS_MS = 120_000
_WORST = {"bad": 0, "warn": 1}


@dataclass(frozen=True)
class DoorPage:
    """``scan`` is the verdict to show (None: ready), ``facts`` are (mark, title, words), marks good, warn, bad or empty.

    ``now`` are the sessions that the door is open for, else the next one; ``later`` the others. ``mark`` changes when anything
    shown does, so that a page knows whether to redraw. ``photos`` are ids of the photos there are of the scanned tickets, by ticket.
    """

    scan: CheckInView | None
    scans: tuple[CheckInView, ...]
    door: DoorView
    zone: str
    facts: tuple[tuple[str, str, str], ...]
    jobs: tuple[tuple[PrintJob, str, str], ...]
    arrivals: Arrivals
    photos: Mapping[str, str]

    @property
    def troubles(self) -> tuple[tuple[str, str, str], ...]:
        """The facts that somebody should look at, worst first."""
        return tuple(sorted((each for each in self.facts if each[0] in _WORST), key=lambda each: _WORST[each[0]]))

    @property
    def well(self) -> tuple[tuple[str, str, str], ...]:
        """The other facts."""
        return tuple(each for each in self.facts if each[0] not in _WORST)

    @property
    def pending(self) -> tuple[tuple[PrintJob, str, str], ...]:
        """Print jobs that a person has to look after, or that a printer could not take yet."""
        return tuple(each for each in self.jobs if each[1] in _WORST)

    @property
    def queued(self) -> int:
        """How many of the latest print jobs just wait their turn."""
        return sum(job.state == "queued" for job, _mark, _words in self.jobs)

    @property
    def done(self) -> tuple[tuple[PrintJob, str, str], ...]:
        """Print jobs that are over."""
        return tuple(each for each in self.jobs if each[1] not in _WORST and each[0].state != "queued")

    @property
    def now(self) -> tuple[DoorSession, ...]:
        """The sessions at hand."""
        at_hand = tuple(each for each in self.door.sessions if each.door_open or each.inside)
        return at_hand or self.door.sessions[:1]

    @property
    def later(self) -> tuple[DoorSession, ...]:
        """The other sessions."""
        return tuple(each for each in self.door.sessions if each not in self.now)

    @property
    def mark(self) -> str:
        """A short text that stands for all that is shown."""
        shown = (
            self.scan.id if self.scan else "",
            [(each.id, each.undone) for each in self.scans],
            [
                (each.at.id, each.inside, each.admitted, each.sold, each.door_open, each.sale)
                for each in self.door.sessions
            ],
            self.facts,
            self.arrivals,
            sorted(self.photos.items()),
            [(job.id, job.state) for job, _mark, _words in self.jobs],
        )
        return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def page(unit: Unit) -> DoorPage:
    """Return the page as of this snapshot."""
    view = overview.door_view(unit)
    scans = door.recent(unit, SHOWN_SCANS)
    newest = scans[0] if scans else None
    fresh = newest is not None and not newest.undone and unit.now.wall_ms - newest.at_ms < VERDICT_LASTS_MS
    zone = next((each.at.timezone for each in view.sessions), "") or timezone_of(listing.listing(unit).events)
    jobs = tuple((job, *job_words(job)) for job in view.jobs[:SHOWN_JOBS])
    facts = _facts(view)
    of_scans = photos.taken(unit, {each.ticket.id for each in scans if each.ticket is not None})
    return DoorPage(newest if fresh else None, scans, view, zone, facts, jobs, arrivals(unit), of_scans)


def _facts(view: DoorView) -> tuple[tuple[str, str, str], ...]:
    facts = [_link(view), _clock(view)]
    part, parts = view.retold
    if part < parts:
        words = _(
            "%(part)s of %(parts)s parts have arrived. Until then check tickets by their QR code.",
            part=part,
            parts=parts,
        )
        facts.insert(0, ("warn", _("Taking this venue over"), words))
    elif parts:
        words = _("Orders, payments and scans are here. Names and contacts are not kept centrally and are missing.")
        facts.append(("", _("Took this venue over"), words))
    if view.sealed:
        words = _("The operator sealed this device. It sells nothing and admits nobody; what it sold stays valid.")
        facts.insert(0, ("bad", _("Closed for good"), words))
    elif view.frozen:
        facts.insert(
            0, ("bad", _("Sells nothing yet"), _("This device waits for the central office. Let the link come back."))
        )
    if not view.door:
        facts.append(("warn", _("Not the door"), _("Another device of this venue decides who comes in. Scan there.")))
    facts += [_hardware(each) for each in view.hardware]
    return tuple(facts)


def _link(view: DoorView) -> tuple[str, str, str]:
    title = _("Link is up") if view.link_up else _("No link: go on selling and scanning")
    if not view.unsynced:
        return ("good" if view.link_up else "warn"), title, _("Everything is synced.")
    words = plural("%(num)s message is not synced yet.", "%(num)s messages are not synced yet.", view.unsynced)
    return ("good" if view.link_up else "warn"), title, words


def _clock(view: DoorView) -> tuple[str, str, str]:
    if view.clock_trusted:
        return "good", _("Clock is trusted"), ""
    return (
        "warn",
        _("Clock is not trusted"),
        _("Open and close sale and door with the buttons here. Stock does not depend on it."),
    )


def _hardware(found: HardwareView) -> tuple[str, str, str]:
    names = {
        "printer": _("Printer"),
        "scanner": _("Scanner"),
        "camera": _("Camera"),
        "lamp": _("Lamp"),
        "modem": _("Modem"),
        "hotspot": _("Wi-Fi of the guests"),
    }
    states = {
        "READY": ("good", _("ready")),
        "OPENING": ("", _("starting")),
        "DEGRADED": ("warn", _("works, but look at it")),
        "ABSENT": ("warn", _("not there")),
        "FAULT": ("bad", _("out of order")),
    }
    name = names.get(hardware.family(found.name), found.name)
    title = name if hardware.number(found.name) == 1 else f"{name} {hardware.number(found.name)}"
    if found.silent:
        return "bad", f"{title}: {_('unknown')}", _(hardware.SILENT_DESK)
    mark, state = states.get(found.state.upper(), ("", _("unknown")))
    phones = hardware.phones(found.name, found.reason)
    if phones is not None and phones.full:
        state = _("full")
    remedy = hardware.remedy(found.name, found.state)
    said = _phones(phones) if phones is not None else found.reason
    words = " · ".join(each for each in (said, _(remedy) if remedy else "") if each)
    return mark, f"{title}: {state}", words


def _phones(seen: hardware.Phones) -> str:
    words = _("Phones on the Wi-Fi: %(phones)s of %(limit)s.", phones=seen.phones, limit=seen.limit)
    if not seen.refused:
        return words
    more = plural("%(num)s other phone was turned away.", "%(num)s other phones were turned away.", seen.refused)
    return f"{words} {more}"


def job_words(job: PrintJob) -> tuple[str, str]:
    """Return a mark (good, warn, bad or empty) and how a print job is, in words."""
    states = {
        "queued": ("", _("waiting")),
        "sending": ("", _("printing")),
        "printed": ("good", _("printed")),
        "sent": ("good", _("sent; the printer says nothing")),
        "failed": ("warn", _("waiting; a printer could not take it")) if job.waits else ("bad", _("not printed")),
        "ambiguous": ("warn", _("perhaps printed: look at the paper")),
    }
    kinds = {
        "stub": _("Stub"),
        "receipt": _("Receipt"),
        "badge": _("Name badge"),
        "door_list": _("Door list"),
        "shift_report": _("Shift report"),
        "no_sale": _("Drawer opened"),
        "staff_badge": _("Staff badge"),
    }
    mark, state = states.get(job.state, ("", job.state))
    return mark, f"{kinds.get(job.kind, job.kind)}: {state}"
