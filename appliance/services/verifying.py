"""Pre-enrolment: sold and pending until what was promised is proven; the issuer's row says what an order waits for.

The issuing device alone confirms or refuses its order: on the cloud's word, on staff's who saw the proof, or on its own where its
modem sent the code. Doors take the same words as they hear them. The whole rule: docs/pre-enrolment.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row

from appliance.domain import verifying as rules
from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import Invalid
from appliance.domain.people import clean
from appliance.domain.sms import number_of
from appliance.services import cancelling, conversion, foreign, rates, requesting, show, sms
from appliance.services.answering import answered_by_me, answers_for, decides, issuers
from appliance.services.box import Unit
from appliance.services.rows import order_row, verification_row
from appliance.services.selling import Pledge, fact, private_part, sign, sign_anew
from appliance.services.stock import counts
from appliance.services.views import OrderView
from appliance.store import orders, verifications
from mqtt_bridge.protocol import ids, proofs, receipts
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    ContactCodeEntered,
    ContactCodeWanted,
    ContactLinkFollowed,
    ContactProven,
    OrderConfirmed,
    OrderRefused,
    OrderVerified,
    VerificationMoved,
)

TYPED_PER_HOUR = 10
CODES_PER_HOUR = 3
LINKS_PER_HOUR = 20
# By boot-time: a device that starts again knows no code any more, and sends another one.
CODE_LIFE_MS = 30 * MINUTE_MS


class Step(NamedTuple):
    """What came of a typed code: ``sent`` to the centre, ``right``, ``wrong``, ``spent``, or ``unreadable``; ``over`` where nothing is asked any more."""

    result: Literal["sent", "right", "wrong", "spent", "unreadable", "over"]


def pledge(unit: Unit, verify: rules.Verify, contact: str, member: str, language: str) -> Pledge:
    """Return what a sale promises to prove; raises ``Invalid`` naming the field that does not do."""
    member = proofs.member_number(clean(member, "member"))
    if verify == "member" and not member:
        msg = "Write your member number."
        raise Invalid(msg, field="member")
    channel = rules.channel_of(contact, texts=sms.known(unit))
    return Pledge(verify, channel, member if verify == "member" else "", language)


def send_code(unit: Unit, order_id: str, words: Callable[[str], str]) -> None:
    """Send an order's first code by the device's own modem, where that is how it proves its contact; twice is once.

    Another code ends the one before, so it is sent only to who asks for it (``want_code``). ``words`` makes the message of a code.
    Raises ``LimitReached`` where too many messages are asked for.
    """
    if _pending(unit, order_id)[1].codes == 0:
        _send_code(unit, order_id, words)


def _send_code(unit: Unit, order_id: str, words: Callable[[str], str]) -> None:
    row, known = _pending(unit, order_id)
    number = number_of(row.contact)
    if known.channel != "sms" or number is None or known.codes >= proofs.MOST_CODES:
        return
    code = proofs.new_code(unit.box.random(proofs.CODE_BYTES))
    sms.send_code(unit, order_id, number, words(proofs.shown(code)))
    kept = proofs.keep(code, unit.secret())
    life = {"code_boot_id": unit.now.boot_id, "code_until_boot_ms": unit.now.boot_ms + CODE_LIFE_MS}
    verifications.change(unit.db, order_id, codes=known.codes + 1, news="sent", **kept._asdict(), **life)


def enter_code(unit: Unit, order_id: str, typed: str) -> Step:
    """Take a code that somebody typed: tried here where our modem sent it, told to the cloud where the cloud did."""
    row, known = _found(unit, order_id)
    if row.status != "pending" or known.waits_for != "code":
        return Step("over")
    code = proofs.digits(typed)
    if code is None:
        return Step("unreadable")
    rates.take(
        unit,
        "code-typed",
        order_id,
        TYPED_PER_HOUR,
        HOUR_MS,
        "Too many codes were typed for this booking. Wait an hour.",
    )
    if known.channel == "mail":
        verifications.change(unit.db, order_id, news="")
        unit.emit(ContactCodeEntered(order_id, code))
        return Step("sent")
    return _try_here(unit, row, known, code)


def _try_here(unit: Unit, row: Row[Any], known: Row[Any], code: str) -> Step:
    alive = known.code_boot_id == unit.now.boot_id and unit.now.boot_ms < known.code_until_boot_ms
    kept = proofs.Kept(known.salt, known.digest, known.tries_left if alive else 0)
    result, left = proofs.attempt(kept, code)
    verifications.change(unit.db, row.id, **left._asdict())
    if result != "right":
        verifications.change(unit.db, row.id, news=result)
    elif known.verify == "contact":
        _confirm(unit, row, "code")
    else:
        verifications.change(unit.db, row.id, news="", waits_for="standing")
        unit.emit(ContactProven(row.id))
    return Step(result)


def want_code(unit: Unit, order_id: str, words: Callable[[str], str], contact: str = "") -> None:
    """Have another code sent, to the contact as it is or as it was corrected. Raises ``Invalid`` and ``LimitReached``."""
    row, known = _pending(unit, order_id)
    if known.waits_for != "code":
        return
    contact = clean(contact, "contact") or row.contact
    channel = rules.channel_of(contact, texts=sms.known(unit))
    rates.take(unit, "code-wanted", order_id, CODES_PER_HOUR, HOUR_MS, "Too many codes were asked for. Wait an hour.")
    if contact != row.contact:
        orders.change(unit.db, order_id, contact=contact)
    verifications.change(unit.db, order_id, channel=channel, news="", digest="", tries_left=0)
    if channel == "sms":
        _send_code(unit, order_id, words)
    else:
        unit.emit(ContactCodeWanted(order_id), private_part(unit, row.name, contact, known.member))


def follow_link(unit: Unit, link: str, client: str) -> None:
    """Tell the cloud that somebody followed a mailed link here, whatever it belongs to; it alone knows whether it is one."""
    if not ids.is_secret(link):
        return
    rates.take(
        unit, "link-followed", client, LINKS_PER_HOUR, HOUR_MS, "Too many links were followed from here. Wait an hour."
    )
    unit.emit(ContactLinkFollowed(link))


def verify_here(unit: Unit, order_id: str, staff: str) -> OrderView:
    """Staff saw the proof: the order admits from now on, and everybody hears of it.

    Raises ``Invalid`` unless it is pending and this device issued it or hosts a ticket of it.
    """
    row = order_row(unit, order_id)
    if row.status != "pending":
        msg = f"This order is {row.status.replace('_', ' ')}: there is nothing to verify."
        raise Invalid(msg, field="order")
    if not may_verify(unit, row):
        msg = "This order can only be verified where it was made, or at the door of its date."
        raise Invalid(msg, field="order")
    if row.issuer == unit.identity.device:
        _confirm(unit, row, staff)
    else:
        _believe(unit, row, staff)
        unit.emit(OrderVerified(order_id, staff))
    unit.audit(staff, "verify", order_id)
    return show.order_view(unit, order_id)


def may_verify(unit: Unit, row: Row[Any]) -> bool:
    """Return whether staff of this device may say that an order is verified."""
    if answers_for(unit, row.issuer):
        return True
    return any(decides(unit, each.event_session) for each in orders.tickets(unit.db, row.id))


def refuse_late(unit: Unit, event_session: str) -> int:
    """Refuse what is still pending for a session, of the orders this device answers for; return how many."""
    found = verifications.pending_in(unit.db, event_session, issuers(unit))
    for order_id in found:
        _refuse(unit, order_id, "late", "verify_until")
        unit.audit("verify_until", "refuse", order_id)
    return len(found)


# --- what is heard


def on_verified(unit: Unit, message: OrderVerified, origin: str) -> None:
    """The centre, or staff at a door, say that an order is verified; one that has ended meanwhile stays as it is."""
    row = orders.find(unit.db, message.order)
    if row is None or row.status != "pending" or origin == unit.identity.device:
        return
    if row.issuer == unit.identity.device:
        _confirm(unit, row, message.by)
        return
    _believe(unit, row, message.by)
    if row.issuer in answered_by_me(unit):
        # Its issuer cannot say so any more; a restored cloud hears it from us.
        unit.emit(OrderVerified(message.order, message.by))


def on_refused(unit: Unit, message: OrderRefused) -> None:
    """A request cannot be met, or a pre-enrolment was not verified."""
    row = orders.find(unit.db, message.order)
    if row is not None and row.status == "pending":
        _refuse(unit, row.id, message.reason, "centre")
    else:
        requesting.on_refused(unit, message)


def on_moved(unit: Unit, message: VerificationMoved) -> None:
    """The centre tells how far it is."""
    known = verifications.find(unit.db, message.order)
    row = orders.find(unit.db, message.order)
    if known is None or row is None or row.status != "pending":
        return
    values: dict[str, Any] = {"waits_for": message.waits_for, "news": message.news}
    if known.channel == "mail":
        values["tries_left"] = message.tries_left
    verifications.change(unit.db, message.order, **values)


def on_cancel_refused(unit: Unit, message: CancelRefused) -> None:
    """A door had admitted somebody: the order stands, and where it had been pending its receipts say so from now on."""
    cancelling.on_refused(unit, message)
    for order_id in orders.orders_of_tickets(unit.db, message.tickets):
        row = orders.find(unit.db, order_id)
        if row is not None and row.status == "confirmed" and row.issuer == unit.identity.device:
            _tell_confirmed(unit, row)


def _confirm(unit: Unit, row: Row[Any], by: str) -> None:
    """As the issuer: the order admits from now on; its receipts are signed anew and the sale is told as any."""
    if foreign.verified(unit, row.id):
        _decided(unit, row.id, by)
        _tell_confirmed(unit, row)
        if row.hold:
            conversion.reached(unit, row.hold, "confirmed")


def _tell_confirmed(unit: Unit, row: Row[Any]) -> None:
    """Sign what still says pending and tell it; the totals are as they were, since it was sold all the time."""
    tickets = [each for each in orders.tickets(unit.db, row.id) if not each.voided]
    stale = [each for each in tickets if each.receipt and receipts.read(each.receipt).claims.pending]
    if not stale:
        return
    seq = unit.next_seq()
    for each in stale:
        receipt = sign(unit, each._asdict(), paid=row.payment == "paid", seq=seq)
        orders.change_tickets(unit.db, [each.id], receipt=receipt)
    facts = tuple(fact(each) for each in tickets)
    stock = counts(unit, ((each.quota, each.epoch) for each in tickets))
    body = OrderConfirmed(row.id, row.code, row.payment, facts, stock, unit.now.wall_ms, row.sold_by)
    unit.emit(body, private_part(unit, row.name, row.contact))


def _believe(unit: Unit, row: Row[Any], by: str) -> None:
    """As a door, or as who answers for a sealed issuer, whose receipts are ours to sign."""
    foreign.verified(unit, row.id)
    _decided(unit, row.id, by)
    if row.issuer in answered_by_me(unit):
        orders.change_tickets(unit.db, [each.id for each in orders.tickets(unit.db, row.id)], receipt="")
        sign_anew(unit, row.id)


def _refuse(unit: Unit, order_id: str, reason: str, by: str) -> None:
    if cancelling.turn_down(unit, order_id):
        _decided(unit, order_id, by, refusal=reason)


def _decided(unit: Unit, order_id: str, by: str, refusal: str = "") -> None:
    over = {"news": "", "salt": "", "digest": "", "tries_left": 0}
    done = {"decided_by": by, "decided_at_ms": unit.now.wall_ms, "refusal": refusal}
    verifications.change(unit.db, order_id, **over, **done)
    sms.drop_code(unit, order_id)


def _pending(unit: Unit, order_id: str) -> tuple[Row[Any], Row[Any]]:
    row, known = _found(unit, order_id)
    if row.status != "pending":
        msg = "Nothing has to be verified for this booking any more."
        raise Invalid(msg, field="order")
    return row, known


def _found(unit: Unit, order_id: str) -> tuple[Row[Any], Row[Any]]:
    return order_row(unit, order_id), verification_row(unit, order_id)
