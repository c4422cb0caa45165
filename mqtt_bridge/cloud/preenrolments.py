"""Pre-enrolments as devices tell them: what an order has to prove, and each word about it, left for the verifier.

The order itself is written down like any sale. ``verdicts`` decides; nothing here waits for mail or for whoever knows the members.
"""

from __future__ import annotations

from collections.abc import Iterator

from mqtt_bridge.cloud.facts import needs_of_a_sale, record_sale, say
from mqtt_bridge.cloud.forgetting import allowed
from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import Order, Verification
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol import proofs
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import (
    ContactCodeEntered,
    ContactCodeWanted,
    ContactLinkFollowed,
    ContactProven,
    OrderPending,
    OrderVerified,
)

WAITING = "waiting"
LONGEST_LANGUAGE = 8


def _needs(work: Work, body: OrderPending) -> Iterator[list[Need]]:
    for each in needs_of_a_sale(work, body):
        yield [*each, (Verification, "order_id", body.order)]


@applies(OrderPending, _needs)
def _order_pending(at: Telling, body: OrderPending) -> None:
    """Sold, and to be verified; told again by a device that carried it over, it stays what it has become."""
    record_sale(at, body)
    order = at.work.of(Order).get(body.order)
    known = at.work.of(Verification).get(body.order)
    if known is not None or order is None or order.issuer != at.device or order.status != "pending":
        return
    person = allowed(at.work, body.order, at.private)
    at.work.of(Verification).add(
        Verification(
            order_id=body.order,
            device=at.device,
            verify=body.verify,
            channel=body.channel,
            language=body.language[:LONGEST_LANGUAGE],
            state=WAITING,
            waits_for="code",
            news="",
            proven=False,
            private=encode(person) if person is not None else None,
            salt="",
            digest="",
            tries_left=0,
            codes=0,
            code_at_ms=0,
            link_digest="",
            standing_due_ms=0,
            standing_tries=0,
            refusal="",
            decided_by="",
            received_at_ms=at.wall_ms,
            decided_at_ms=None,
        )
    )
    if body.channel == "mail":
        say(at, body.order, "wanted")


def _rows(
    _work: Work, body: OrderVerified | ContactCodeWanted | ContactCodeEntered | ContactProven
) -> list[list[Need]]:
    return [[(Order, "id", body.order), (Verification, "order_id", body.order)]]


@applies(OrderVerified, _rows)
def _order_verified(at: Telling, body: OrderVerified) -> None:
    """Staff at a door saw the proof, or who answers for a sealed issuer took our word."""
    order = at.work.of(Order).get(body.order)
    if order is not None and order.status == "pending":
        at.work.of(Order).change(order, status="confirmed")
        say(at, body.order, "confirmed", body.by)


@applies(ContactCodeWanted, _rows)
def _code_wanted(at: Telling, body: ContactCodeWanted) -> None:
    if _waits(at, body.order):
        person = allowed(at.work, body.order, at.private)
        say(at, body.order, "wanted", private=encode(person) if person is not None else None)


@applies(ContactCodeEntered, _rows)
def _code_entered(at: Telling, body: ContactCodeEntered) -> None:
    code = proofs.digits(body.code)
    if code is not None and _waits(at, body.order):
        say(at, body.order, "code", code)


@applies(ContactProven, _rows)
def _contact_proven(at: Telling, body: ContactProven) -> None:
    known = at.work.of(Verification).get(body.order)
    if known is not None and known.device == at.device and known.state == WAITING:
        say(at, body.order, "proven")


@applies(ContactLinkFollowed)
def _link_followed(at: Telling, body: ContactLinkFollowed) -> None:
    """Whose link it is, and whether it is one at all, is looked up by the verifier; only its hash is kept meanwhile."""
    say(at, "", "link", proofs.link_digest(body.link))


def _waits(at: Telling, order: str) -> bool:
    """Only the device that sold an order speaks for whoever holds its page."""
    known = at.work.of(Verification).get(order)
    return known is not None and known.device == at.device and known.state == WAITING
