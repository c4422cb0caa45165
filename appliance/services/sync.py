"""What the relay calls: the device's own words to the cloud, and what it does with the cloud's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.domain.hardware import seen_ms
from appliance.domain.inventory import take_grant
from appliance.services import (
    cancelling,
    closing,
    door,
    foreign,
    payments,
    privacy,
    repairs,
    requesting,
    staff_badges,
    takeover,
    turns,
    verifying,
    waitlist,
)
from appliance.services.box import Unit
from appliance.services.stock import free_lapsed
from appliance.store import allocations, device, documents, passkeys, records, waiting
from mqtt_bridge.mailbox import sender
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.generations import superseded
from mqtt_bridge.protocol.messages import (
    Ack,
    AllocationReturned,
    Began,
    CancelRefused,
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    Content,
    DeviceState,
    ErasePersonalData,
    Exited,
    HardwareReport,
    HardwareState,
    Hello,
    KeyDirectory,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    OrderRebooked,
    OrderRefused,
    OrderRequested,
    OrderVerified,
    PaymentTaken,
    Private,
    QuotaNeed,
    RefundOwed,
    RefundPaid,
    RequestWithdrawn,
    ReturnAllocation,
    Status,
    TicketsVoided,
    TicketsWithdrawn,
    VenueRetold,
    VerificationMoved,
    WaitlistEntrusted,
)
from mqtt_bridge.protocol.topics import CLOUD

MOST_REASON = 300


def hello(unit: Unit) -> Hello:
    """Return the first word after a connect: who I am, which life, how far I got, what I count."""
    untold = tuple(unit.mail.streams(CLOUD))
    return Hello(
        device=unit.identity.device,
        venue=unit.identity.venue,
        inc=unit.inc,
        last_seq=unit.mail.last_seq(CLOUD, unit.inc),
        kid=unit.box.signer.kid,
        public=unit.box.signer.public.hex(),
        stock=allocations.counts(unit.db),
        downlink=unit.mail.newest(CLOUD),
        sent_at_ms=unit.now.wall_ms,
        generation=unit.device.generation,
        earlier=tuple(inc for inc in untold if inc != unit.inc),
        began=unit.device.began,
        untold=tuple(Ack(inc, unit.mail.last_seq(CLOUD, inc)) for inc in untold),
    )


def status(unit: Unit) -> Status:
    """Return telemetry for the console."""
    unsynced, oldest_at_ms = unit.mail.backlog(CLOUD)
    return Status(
        device=unit.identity.device,
        venue=unit.identity.venue,
        inc=unit.inc,
        unsynced=unsynced,
        oldest_unsynced_ms=max(0, unit.now.wall_ms - oldest_at_ms) if unsynced else 0,
        stock=allocations.counts(unit.db),
        clock_trusted=unit.now.trusted,
        hardware={row.name: row.state for row in records.hardware_rows(unit.db)},
        sent_at_ms=unit.now.wall_ms,
    )


def hardware(unit: Unit) -> HardwareReport | None:
    """Return what the desk last said of each device, and what runs here; None if there is nothing to say."""
    rows, system = records.hardware_rows(unit.db), unit.box.system(unit.now)
    if not rows and system is None:
        return None
    pieces = [HardwareState(row.name, row.state, row.reason[:MOST_REASON], row.since_ms) for row in rows]
    seen = [seen_ms(unit.now, row.seen_at_ms, row.seen_boot_id, row.seen_boot_ms) for row in rows]
    return HardwareReport(
        device=unit.identity.device,
        venue=unit.identity.venue,
        hardware=(*pieces, *([system] if system is not None else [])),
        as_of_ms=max(seen, default=unit.now.wall_ms),
        sent_at_ms=unit.now.wall_ms,
    )


def needs(unit: Unit) -> tuple[QuotaNeed, ...]:
    """Return what somebody here waits for right now."""
    shelves = allocations.shelves(unit.db)
    found = []
    for quota, wanted in allocations.wanted(unit.db):
        count = allocations.count(unit.db, quota, shelves[quota].epoch)
        if count is not None:
            found.append(QuotaNeed(quota, wanted, count))
    return tuple(found)


def apply_state(unit: Unit, state: DeviceState) -> None:
    """Take the cloud's totals: merged by max, so an old or repeated state changes nothing.

    A state for another life or device, or older than what is known, is ignored; that of a later generation is newer whatever
    its number. Where the cloud has more messages of this life than were ever written here, or one that was lost since had, this
    database went back in time: a new, frozen incarnation begins, as on ``stop``. Only the device can tell: the cloud may compare
    with a hello that was overtaken.
    ``sealed`` ends it all.
    """
    known = unit.device
    mine = (state.device, state.inc) == (unit.identity.device, unit.inc)
    forgot = mine and state.written > unit.mail.last_seq(CLOUD, unit.inc)
    older = (state.generation, state.revision) < (known.generation, known.state_revision)
    if not mine or (older and not forgot):
        return
    if forgot or state.stop:
        begin_incarnation(unit, "went_back" if forgot else "told")
    if state.sealed or known.sealed:
        closing.close(unit, state)
    if forgot or state.stop or unit.device.sealed:
        return
    lines = waiting.told(unit.db)
    for grant in state.grants:
        for shelf in take_grant(allocations.every(unit.db, grant.quota), grant, state.as_of_ms):
            allocations.put(unit.db, shelf)
        if grant.line or grant.quota in lines:
            waiting.put_told(unit.db, grant.quota, grant.line, grant.longer, unit.now)
    unit.at_end(turns.serve)
    told = {"state_revision": state.revision, "state_as_of_ms": state.as_of_ms, "generation": state.generation}
    device.change(unit.db, frozen=False, door=state.door, **told)
    unit.reload()


def went_back(unit: Unit, inc: str) -> None:
    """The cloud has another message under a number of this life: this database went back in time and used it again.

    What an earlier life still has to tell is told by the present one.
    """
    if inc == unit.inc:
        begin_incarnation(unit, "went_back")
    else:
        sender.carry_over(unit.mail, CLOUD, inc, unit.inc, signer=unit.box.signer, wall_ms=unit.now.wall_ms)


def begin_incarnation(unit: Unit, began: Began = "told") -> None:
    """Start a new life of this database: nothing is sold until the cloud granted to it, what it has not told yet it tells."""
    before = unit.inc
    device.begin_incarnation(unit.db, unit.secret(), unit.device.bound_to, began)
    unit.reload()
    sender.carry_over(unit.mail, CLOUD, before, unit.inc, signer=unit.box.signer, wall_ms=unit.now.wall_ms)
    unit.audit("system", "new_incarnation", unit.inc, began)
    unit.at_end(turns.serve)
    unit.wakes.add("bridge")


def apply_catalogue(unit: Unit, catalogue: Catalogue) -> None:
    """Take a newer catalogue; staff who are no longer in it are signed out, pictures nobody needs are dropped."""
    if catalogue.version <= unit.device.catalogue_version:
        return
    gone = {each.badge for each in unit.catalogue.staff} - {each.badge for each in catalogue.staff}
    documents.save_catalogue(unit.db, catalogue)
    records.drop_staff_tokens_of(unit.db, gone)
    # A new PIN is a new start: whoever knows it registers their passkeys again.
    kept = {(each.badge, each.pin_hash) for each in catalogue.staff}
    passkeys.drop_of(unit.db, {each.badge for each in unit.catalogue.staff if (each.badge, each.pin_hash) not in kept})
    documents.drop_assets(unit.db, documents.known_assets(unit.db) - catalogue.images)
    unit.reload()
    unit.wakes.update({"bridge", "desk"})


def apply_keys(unit: Unit, directory: KeyDirectory) -> None:
    """Take the public keys of all devices; a key once revoked stays revoked."""
    for key in directory.keys:
        known = records.find_issuer(unit.db, key.kid)
        revoked = key.revoked or (known is not None and known.revoked)
        values = {"device": key.device, "venue": key.venue, "public": key.public, "door": key.door, "revoked": revoked}
        closed = {"sealed": key.sealed, "answered_by": key.answered_by}
        records.put_issuer(unit.db, {"kid": key.kid, **values, **closed})
    staff_badges.take_directory(unit, directory)


def apply_asset(unit: Unit, sha256: str, media_type: str, body: bytes) -> None:
    """Keep a picture that the relay has checked against its hash."""
    documents.save_asset(unit.db, sha256, media_type, body)


def missing_assets(unit: Unit) -> tuple[str, ...]:
    """Return the hashes of pictures the catalogue names and this device does not have yet."""
    return tuple(sorted(unit.catalogue.images - documents.known_assets(unit.db)))


def link_changed(unit: Unit, up: bool) -> None:
    """Note whether the cloud can be reached right now; without it nobody waits for more stock."""
    if not up:
        allocations.want_nothing(unit.db)
    if up != unit.device.link_up:
        device.change(unit.db, link_up=up, link_changed_at_ms=unit.now.wall_ms)
        unit.reload()
        # What was kept for people elsewhere cannot get to them now: the next here may have it.
        unit.at_end(turns.serve)


def apply_message(unit: Unit, content: Content, private: Private | None) -> None:
    """Apply one downlink message, in order and once (the inbox sees to that).

    Tickets that a cloud gave which was lost count nowhere once its successor was named in a hello: what it took from the pool
    is free again, whatever waits here is answered anew, and what is to be rebooked is listed again.
    """
    if _gives_tickets(content) and superseded(content.inc, unit.device.generation):
        return
    handle = _HANDLERS.get(type(content.body))
    if handle is None:
        # An uplink kind on the downlink: the cloud never forwards it, so there is nothing to do.
        unit.audit("system", "unexpected_message", type(content.body).__name__)
        return
    order = getattr(content.body, "order", "")
    handle(unit, content.body, content.origin, privacy.allowed(unit, order, private))


def _gives_tickets(content: Content) -> bool:
    return isinstance(content.body, OrderConfirmed | OrderRebooked) and content.origin == CLOUD


def _order_confirmed(unit: Unit, message: OrderConfirmed, origin: str, private: Private | None) -> None:
    """Take another device's sale, or the cloud's answer to a request of ours."""
    if origin == CLOUD:
        requesting.on_confirmed(unit, message, private)
    else:
        foreign.on_order_confirmed(unit, message, origin, private)


def _return_allocation(unit: Unit, message: ReturnAllocation) -> None:
    """Give back what is free, up to the total asked for; debited here before the cloud hears of it."""
    free_lapsed(unit)
    # What has just come free here is offered to those who are due before it may go elsewhere.
    turns.serve(unit)
    before = allocations.find(unit.db, message.quota, message.epoch)
    if before is None:
        return
    after = before.give_back(message.returned)
    if after != before:
        allocations.put(unit.db, after)
        unit.emit(AllocationReturned(stock=(after.count,)))


Handler = Callable[[Unit, Any, str, Private | None], None]
# What each downlink message does here: (unit, body, origin, private part).
_HANDLERS: dict[type, Handler] = {
    OrderConfirmed: _order_confirmed,
    OrderRequested: foreign.on_order_requested,
    OrderPending: foreign.on_order_pending,
    OrderVerified: lambda unit, body, origin, _private: verifying.on_verified(unit, body, origin),
    VerificationMoved: lambda unit, body, _origin, _private: verifying.on_moved(unit, body),
    OrderRefused: lambda unit, body, _origin, _private: verifying.on_refused(unit, body),
    RequestWithdrawn: lambda unit, body, origin, _private: foreign.on_request_withdrawn(unit, body, origin),
    PaymentTaken: lambda unit, body, _origin, _private: payments.on_payment_taken(unit, body),
    CancelRequested: lambda unit, body, origin, _private: cancelling.on_cancel_requested(unit, body, origin),
    TicketsVoided: lambda unit, body, _origin, _private: cancelling.on_voided(unit, body),
    CancelRefused: lambda unit, body, _origin, _private: verifying.on_cancel_refused(unit, body),
    OrderCancelled: lambda unit, body, origin, _private: cancelling.on_order_cancelled(unit, body, origin),
    CheckedIn: lambda unit, body, origin, _private: door.on_checked_in(unit, body, origin),
    Exited: lambda unit, body, origin, _private: door.on_exited(unit, body, origin),
    CheckInUndone: lambda unit, body, origin, _private: door.on_check_in_undone(unit, body, origin),
    TicketsWithdrawn: lambda unit, body, _origin, _private: repairs.on_withdrawn(unit, body),
    OrderRebooked: lambda unit, body, _origin, _private: repairs.on_rebooked(unit, body),
    RefundOwed: lambda unit, body, _origin, _private: repairs.on_refund_owed(unit, body),
    RefundPaid: lambda unit, body, _origin, _private: repairs.on_refund_paid(unit, body),
    VenueRetold: lambda unit, body, _origin, _private: takeover.on_retold(unit, body),
    ReturnAllocation: lambda unit, body, _origin, _private: _return_allocation(unit, body),
    WaitlistEntrusted: lambda unit, body, _origin, _private: waitlist.on_entrusted(unit, body),
    ErasePersonalData: lambda unit, body, _origin, _private: privacy.on_erase(unit, body),
}
