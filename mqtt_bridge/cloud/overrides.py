"""What an operator changed about sessions and print templates, laid over the catalogue file: pure.

The change holds against every file that says what the file said before, or the same as the change. A file that says something
new about the time wins over the move, and so does one about the venue (the import refuses that once tickets are sold).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from mqtt_bridge.cloud.records import SessionChange
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Moved
from mqtt_bridge.protocol.codec import decode


class Placed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where and when: a venue's id and ms since the Unix epoch."""

    venue: str
    starts_at_ms: int
    ends_at_ms: int


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator decided (``now``) and what the file said then (``was``)."""

    was: Placed
    now: Placed
    at_ms: int


def laid_over(catalogue: Catalogue, changes: Iterable[SessionChange]) -> Catalogue:
    """Return the catalogue with operators' changes laid over what the file says."""
    known = {each.event_session: each for each in changes}
    if not known:
        return catalogue
    events = [_event(event, known) for event in catalogue.events]
    return msgspec.structs.replace(catalogue, events=tuple(events))


def _event(event: Event, known: dict[str, SessionChange]) -> Event:
    sessions = [changed(at, known[at.id]) if at.id in known else at for at in event.sessions]
    return msgspec.structs.replace(event, sessions=tuple(sessions))


def changed(at: EventSession, change: SessionChange) -> EventSession:
    """Return a session of the file with one change laid over it."""
    result = msgspec.structs.replace(at, cancelled=at.cancelled or change.cancelled, notice=change.notice)
    return result if change.document is None else _moved(result, decode(change.document, Move))


def _moved(at: EventSession, move: Move) -> EventSession:
    was, now = move.was, move.now
    venue = now.venue if at.venue in {was.venue, now.venue} else at.venue
    times = (at.starts_at_ms, at.ends_at_ms)
    if times in {(was.starts_at_ms, was.ends_at_ms), (now.starts_at_ms, now.ends_at_ms)}:
        times = (now.starts_at_ms, now.ends_at_ms)
    if (venue, *times) == (was.venue, was.starts_at_ms, was.ends_at_ms):
        return at
    closes = at.sale_closes_at_ms
    return msgspec.structs.replace(
        at,
        venue=venue,
        starts_at_ms=times[0],
        ends_at_ms=times[1],
        sale_closes_at_ms=None if closes is None else closes + times[0] - at.starts_at_ms,
        moved=Moved(was.venue, was.starts_at_ms, was.ends_at_ms, move.at_ms),
    )


def as_filed(at: EventSession, record: SessionChange | None) -> EventSession:
    """The session as the file has it, as far as the change knows."""
    if record is None:
        return at
    filed = msgspec.structs.replace(at, cancelled=False if record.cancelled else at.cancelled, notice="")
    if at.moved is None:
        return filed
    closes = at.sale_closes_at_ms
    return msgspec.structs.replace(
        filed,
        venue=at.moved.venue,
        starts_at_ms=at.moved.starts_at_ms,
        ends_at_ms=at.moved.ends_at_ms,
        sale_closes_at_ms=None if closes is None else closes + at.moved.starts_at_ms - at.starts_at_ms,
        moved=None,
    )


class PaperChange(NamedTuple):
    """An operator's print template of one kind, and what the file said when it was made; empty texts are the product's own."""

    kind: str
    text: str
    filed: str
    changed_at_ms: int
    changed_by: str


def with_template(catalogue: Catalogue, kind: str, text: str) -> Catalogue:
    """Return the catalogue with another print template of a kind."""
    templates = {**dict(catalogue.paper.templates), kind: text}
    kept = tuple(sorted((each, words) for each, words in templates.items() if words))
    return msgspec.structs.replace(catalogue, paper=msgspec.structs.replace(catalogue.paper, templates=kept))


def still_holds(catalogue: Catalogue, change: PaperChange) -> bool:
    """Whether the file says of that kind what it said when the change was made."""
    return dict(catalogue.paper.templates).get(change.kind, "") == change.filed
