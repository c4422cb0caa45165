"""Closing a device for good: what it costs, shown first, and doing it. And releasing what is in doubt since.

Pure over a working set; ``store`` runs it in a transaction of its own. A sealed device's name and keys stay known, so its
tickets are good at every door. Only a *stolen* card's keys are revoked too: then a ticket of it is good where its sale was told.
"""

from __future__ import annotations

from dataclasses import dataclass

from mqtt_bridge.cloud.books import Book
from mqtt_bridge.cloud.closed_epochs import close_lines, doubt_of, net, recount, ticket_cancelled
from mqtt_bridge.cloud.doubt import Doubt
from mqtt_bridge.cloud.records import Cloud, Device, Key, Line, Order, Quota, Ticket
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.work import Work


class SealRefused(Exception):
    """It cannot be sealed, or released; the sentence says why."""


@dataclass(frozen=True)
class Stake:
    """What is at stake of one quota, in tickets: unsold as far as we know, and how many of them were in open holds."""

    quota: str
    name: str
    in_doubt: int
    held: int


@dataclass(frozen=True)
class SealPrice:
    """What sealing a device means. ``last_seen_ms`` and ``unsynced`` say as of when we know, and how much it had not told.

    ``unheard``: since the cloud was restored from a backup it has not said a word, so it may have been granted more.
    """

    device: str
    venue: str
    door: bool
    present: bool
    last_seen_ms: int | None
    unsynced: int
    stakes: tuple[Stake, ...]
    unheard: bool = False

    @property
    def in_doubt(self) -> int:
        """Tickets that go in doubt."""
        return sum(each.in_doubt for each in self.stakes)

    @property
    def held(self) -> int:
        """Tickets of them in open holds."""
        return sum(each.held for each in self.stakes)

    def words(self, wall_ms: int) -> tuple[str, ...]:
        """The same as sentences."""
        seen = "It was never heard of."
        if self.last_seen_ms is not None:
            seconds = max(0, wall_ms - self.last_seen_ms) // 1000
            had = f"{self.unsynced} message{'' if self.unsynced == 1 else 's'}" if self.unsynced else "nothing"
            seen = f"It was last heard of {seconds} s ago and then had {had} left to tell."
        names = ", ".join(f"{each.in_doubt} of {each.name!r}" for each in self.stakes if each.in_doubt)
        doubt = f"{self.in_doubt} tickets go in doubt ({names}), {self.held} of them in open holds." if names else ""
        return tuple(
            each
            for each in (
                "It is connected right now: it will be told to stop and gives back what it has."
                if self.present
                else "",
                seen,
                doubt or "It has no unsold stock, so nothing goes in doubt.",
                "They come back if it returns or its card is read; until then each one released may be sold twice."
                if names
                else "",
                f"It is the door of {self.venue}: until it is replaced nobody is admitted there." if self.door else "",
                "It has said nothing since the cloud was restored: what it was granted after the backup is not known."
                if self.unheard
                else "",
            )
            if each
        )


def seal_price(work: Work, name: str, wall_ms: int) -> SealPrice:
    """Return what sealing would cost now; raises ``SealRefused`` if there is nothing to seal."""
    device = work.of(Device).get(name)
    if device is None:
        raise SealRefused(f"no device {name!r} is registered")
    if device.status == "sealed":
        raise SealRefused(f"device {name!r} is sealed already")
    quotas = {each.id: each for each in work.of(Quota).fetch_all()}
    stakes: dict[str, Stake] = {}
    for line in work.of(Line).where("device", name):
        quota = quotas.get(line.quota)
        before = stakes.get(line.quota, Stake(line.quota, quota.name if quota else line.quota, 0, 0))
        held = line.held if line.epoch == device.epoch else 0
        stakes[line.quota] = Stake(before.quota, before.name, before.in_doubt + max(0, line.unsold), before.held + held)
    cloud = work.of(Cloud).get(1)
    return SealPrice(
        device=name,
        venue=device.venue,
        door=device.door,
        present=device.present(wall_ms),
        last_seen_ms=device.last_seen_ms,
        unsynced=device.unsynced,
        stakes=tuple(stakes[quota] for quota in sorted(stakes)),
        unheard=cloud is not None and cloud.restoring and device.generation < cloud.generation,
    )


def seal(work: Work, name: str, *, stolen: bool, answered_by: str, wall_ms: int) -> SealPrice:
    """Seal a device: from now on the cloud alone counts its tickets, once per id. Returns the price that was paid.

    ``answered_by`` names who looks after its orders. Raises ``SealRefused``.
    """
    work.of(Device).lock("name", [name], Lock.ALONE)
    work.of(Line).lock("device", [name], Lock.CHANGE)
    price = seal_price(work, name, wall_ms)
    devices = work.of(Device)
    device = devices.get(name)
    if device is None:
        raise SealRefused(f"no device {name!r} is registered")
    devices.change(device, status="sealed", door=False, answered_by=answered_by, state_at_ms=0)
    for each in devices.where("answered_by", name):
        devices.change(each, answered_by=answered_by)
    close_lines(work, name)
    for line in work.of(Line).where("device", name):
        work.of(Line).change(line, held=0, recall_to=0, wanted_to=0)
    count_alone(work, name, stolen=stolen)
    work.rows.bump_keys()
    return price


def count_alone(work: Work, name: str, *, stolen: bool) -> None:
    """Count a sealed device's tickets by id for the first time; believe nothing more under a stolen card's keys."""
    recount(work, name)
    _count_voided(work, name)
    if stolen:
        for key in work.of(Key).where("device", name):
            work.of(Key).change(key, revoked=True, retired=True)


def _count_voided(work: Work, device: str) -> None:
    """Doors voided these and the device has not told that it counted them: from now on that is for the cloud to do.

    The door's word may have reached it all the same, and then it may have sold or given back their places: they stay in doubt.
    """
    for order in work.of(Order).where("issuer", device):
        voided = [each for each in work.of(Ticket).where("order_id", order.id) if each.state == "voided"]
        for ticket in voided:
            work.of(Ticket).change(ticket, state="cancelled")
            ticket_cancelled(work, device, ticket, certain=False)
        if voided and all(each.state == "cancelled" for each in work.of(Ticket).where("order_id", order.id)):
            work.of(Order).change(order, status="cancelled")


@dataclass(frozen=True)
class ReleasePrice:
    """What releasing in-doubt stock of a quota means: at most ``could_oversell`` tickets are sold twice."""

    quota: str
    name: str
    number: int
    doubt: Doubt

    @property
    def could_oversell(self) -> int:
        """Tickets that could be sold twice by this and earlier releases."""
        return self.doubt.released + self.number

    def words(self) -> tuple[str, ...]:
        """The same as sentences."""
        return (
            f"{self.doubt.in_doubt} tickets of {self.name!r} are in doubt, {self.doubt.released} of them released before.",
            f"Releasing {self.number} more puts them on sale now; up to {self.could_oversell} could be sold twice.",
            "What comes back later lowers the released ones first, so nothing is released twice.",
        )


def release_price(work: Work, quota: str, number: int) -> ReleasePrice:
    """Return what releasing would cost; raises ``SealRefused`` or ``ReleaseRefused``."""
    book, devices = _book(work, quota)
    doubt = doubt_of(book.quota.released, book.lines.values(), devices)
    doubt.releasing(number)
    return ReleasePrice(book.id, book.quota.name, number, doubt)


def release(work: Work, quota: str, number: int) -> ReleasePrice:
    """Put ``number`` in-doubt tickets on sale again, at the price of as many that could be sold twice."""
    work.of(Quota).lock("id", [quota], Lock.ALONE)
    book, devices = _book(work, quota)
    net(book, devices)
    price = release_price(work, quota, number)
    quota_row = work.of(Quota).get(quota) or book.quota
    work.of(Quota).change(quota_row, released=quota_row.released + number, extra=quota_row.extra + number)
    return price


def quota_named(work: Work, text: str) -> str:
    """Return the id of the quota that has this id, or alone has this name; raises ``SealRefused``."""
    if work.of(Quota).get(text) is not None:
        return text
    found = [each for each in work.of(Quota).fetch_all() if each.name == text and not each.retired]
    if len(found) == 1:
        return found[0].id
    if found:
        raise SealRefused(f"{text!r} is the name of several quotas: {', '.join(each.id for each in found)}")
    raise SealRefused(f"there is no quota {text!r}")


def _book(work: Work, quota: str) -> tuple[Book, dict[str, Device]]:
    found = work.of(Quota).get(quota)
    if found is None:
        raise SealRefused(f"there is no quota {quota!r}")
    devices = {each.name: each for each in work.of(Device).fetch_all()}
    return Book(work, found, work.of(Line).where("quota", quota)), devices
