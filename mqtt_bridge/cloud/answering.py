"""Answer cancels that wait for a sealed door which nobody replaced: the cloud decides in its place, on an operator's word.

Pure over a working set. The lost door may have let people in that we never heard of; they would be inside on a cancelled ticket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mqtt_bridge.cloud import kinds
from mqtt_bridge.cloud.counts import Counts
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.kinds import Telling
from mqtt_bridge.cloud.records import Device, Order, Parked, Ticket
from mqtt_bridge.cloud.sealing import SealRefused
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.codec import decode_downlink
from mqtt_bridge.protocol.messages import CancelRefused, CancelRequested, TicketsVoided


@dataclass(frozen=True)
class Waiting:
    """Cancels that wait for the door of a venue: (their row, what is asked, tickets hosted there)."""

    door: str
    cancels: tuple[tuple[Parked, CancelRequested, tuple[str, ...]], ...]

    def words(self) -> tuple[str, ...]:
        """What answering them means, as sentences."""
        return (
            f"{len(self.cancels)} cancels wait for the door {self.door}, which is sealed and was not replaced.",
            "Those whose tickets nobody came in on, as far as is known, are granted; the others are refused.",
            "Whom the lost door let in without telling would be inside on a cancelled ticket.",
        )


def waiting(work: Work, venue: str, venue_of: Callable[[str], str | None]) -> Waiting:
    """Return what waits there; raises ``SealRefused`` where a door can answer for itself or none was ever sealed."""
    there = work.of(Device).where("venue", venue)
    if any(each.door for each in there):
        raise SealRefused(f"{venue} has a door, which answers for itself")
    sealed = [each.name for each in there if each.status == "sealed"]
    if not sealed:
        raise SealRefused(f"no device of {venue!r} was sealed")
    found = []
    for row in work.of(Parked).where("about", f"venue:{venue}"):
        body = decode_downlink(row.body)
        if isinstance(body, CancelRequested):
            hosted = tuple(each.ticket for each in body.tickets if venue_of(each.event_session) == venue)
            found.append((row, body, hosted))
    return Waiting(sealed[-1], tuple(found))


def answer(work: Work, venue: str, venue_of: Callable[[str], str | None], wall_ms: int) -> Waiting:
    """Answer them all, as the door would have."""
    found = waiting(work, venue, venue_of)
    at, post = Telling(work, found.door, wall_ms, Counts(work, wall_ms)), Forwarder(work, venue_of)
    for row, body, hosted in found.cancels:
        work.of(Parked).remove(row)
        kept = tuple(each for each in hosted if (known := work.of(Ticket).get(each)) and known.check_in is not None)
        order = work.of(Order).get(body.order)
        if body.unpaid and order is not None and order.payment == "paid":
            kept = hosted
        said = CancelRefused(body.order, kept) if kept else TicketsVoided(body.order, hosted)
        kinds.apply(at, said)
        post.forward(found.door, said, None)
    return found
