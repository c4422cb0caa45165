"""What devices tell of those who wait with them. ``place`` is the order of receipt; the line itself is made in ``lineup``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import Device, Entry
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import OfferMade, OfferWithdrawn, StockCount, WaitlistJoined, WaitlistLeft
from mqtt_bridge.protocol.waitlist import OPEN


def _needs(_work: Work, body: WaitlistJoined | OfferMade | OfferWithdrawn | WaitlistLeft) -> Iterator[list[Need]]:
    yield [(Entry, "entry", body.entry)]


def _own(at: Telling, entry: str) -> Entry | None:
    """Return the entry if it is this device's to speak of: another may answer for it by now."""
    return next((each for each in at.work.of(Entry).where("entry", entry) if each.device == at.device), None)


def _count(at: Telling, stock: Iterable[StockCount]) -> None:
    """Know at once what is held: an offer is no free stock."""
    for each in stock:
        at.counts.report(at.device, each, now=True)


@applies(WaitlistJoined, _needs)
def _joined(at: Telling, body: WaitlistJoined) -> None:
    if not body.wishes or min(each.quantity for each in body.wishes) < 1:
        msg = "an entry wants one ticket at least"
        raise ProtocolError(msg)
    device = at.work.of(Device).get(at.device)
    inc = (device.inc if device is not None else None) or ""
    known = at.work.of(Entry).where("entry", body.entry)
    if not known:
        at.work.of(Entry).add(
            Entry(
                entry=body.entry,
                quota=body.quota,
                device=at.device,
                inc=inc,
                number=body.number,
                quantity=sum(each.quantity for each in body.wishes),
                wishes=msgspec.json.encode(body.wishes).decode(),
                joined_at_ms=body.joined_at_ms,
            )
        )
    elif known[0].device == at.device and known[0].state in OPEN:
        # Told again in a new life, whose offers are yet to be made.
        state = known[0].state if known[0].inc == inc else "waiting"
        at.work.of(Entry).change(known[0], inc=inc, number=body.number, state=state)
    at.counts.waiting.add(body.quota)


@applies(OfferMade, _needs)
def _offered(at: Telling, body: OfferMade) -> None:
    _count(at, body.stock)
    entry = _own(at, body.entry)
    if entry is not None and entry.state == "waiting":
        at.work.of(Entry).change(entry, state="offered", offered=True, counted=False)
    at.counts.waiting.add(body.quota)


@applies(OfferWithdrawn, _needs)
def _withdrawn(at: Telling, body: OfferWithdrawn) -> None:
    entry = _own(at, body.entry)
    if entry is not None and entry.state == "offered":
        at.work.of(Entry).change(entry, state="waiting")
    at.counts.waiting.add(body.quota)


@applies(WaitlistLeft, _needs)
def _left(at: Telling, body: WaitlistLeft) -> None:
    _count(at, body.stock)
    for entry in at.work.of(Entry).where("entry", body.entry):
        # A sealed device that is heard late may have sold what another answers for by now: nothing more is granted for it.
        if entry.state in OPEN and (entry.device == at.device or body.why == "taken"):
            at.work.of(Entry).change(entry, state=body.why)
    at.counts.waiting.add(body.quota)
