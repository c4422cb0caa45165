"""Requests past a device's allocation: written down as they arrive, answered under the locks of all quotas they need.

A request and what it asks of each quota are rows; whatever a guest or an operator wants of it afterwards is another row. So
nobody but the planner changes a request, and it does so only while nobody else can draw on its quotas. ``answers`` decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from mqtt_bridge.cloud import answers, facts
from mqtt_bridge.cloud.books import Round, Settled
from mqtt_bridge.cloud.catching_up import caught_up
from mqtt_bridge.cloud.counts import Counts
from mqtt_bridge.cloud.forgetting import allowed
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import Asked, Device, Letter, Line, Order, Quota, Request, RequestWish
from mqtt_bridge.cloud.rows import Rows
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.catalogue import Catalogue, EventSession
from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.messages import (
    OrderConfirmed,
    OrderRefused,
    OrderRequested,
    Private,
    Refusal,
    RequestWithdrawn,
    StockCount,
)
from mqtt_bridge.protocol.topics import CLOUD

WAITING = "waiting"


# --- as devices tell


def _needs_of_a_request(_work: Work, body: OrderRequested) -> Iterator[list[Need]]:
    quotas: list[Need] = [(Quota, "id", each) for each in tickets_by_quota(body)]
    yield [(Request, "order_id", body.order), (Order, "id", body.order), *quotas]


@applies(OrderRequested, _needs_of_a_request)
def _order_requested(at: Telling, body: OrderRequested) -> None:
    known = _find(at.work, body.order)
    if known is not None or at.work.of(Order).get(body.order) is not None:
        if known is None or known.device != at.device:
            at.alarm("order-twice", body.order, f"requested by {at.device}, but known from elsewhere")
        return
    needs = tickets_by_quota(body)
    unknown = [each for each in needs if at.work.of(Quota).get(each) is None]
    person = allowed(at.work, body.order, at.private)
    private = encode(person) if person is not None else None
    row = Request(body.order, at.device, WAITING, "", encode(body), private, at.wall_ms, None, 0)
    if unknown or not needs:
        at.work.of(Request).add(msgspec.structs.replace(row, state="refused", refusal="closed", private=None))
        refused = encode(OrderRefused(body.order, "closed"))
        at.work.of(Letter).add(Letter(at.device, CLOUD, refused, None, 0))
        return
    at.work.of(Request).add(row)
    for quota, number in needs.items():
        at.work.of(Asked).add(Asked(quota, body.order, number))
    at.counts.waiting.update(needs)


@applies(
    RequestWithdrawn,
    lambda _work, body: [[(kind, "order_id", body.order) for kind in (Request, Asked, RequestWish)]],
)
def _request_withdrawn(at: Telling, body: RequestWithdrawn) -> None:
    known = _find(at.work, body.order)
    if known is None or known.device != at.device or known.state != WAITING:
        return
    if at.work.of(RequestWish).get(body.order, "withdraw") is None:
        at.work.of(RequestWish).add(RequestWish(body.order, "withdraw", at.wall_ms))
    at.counts.waiting.update(each.quota for each in at.work.of(Asked).where("order_id", body.order))


def tickets_by_quota(body: OrderRequested) -> dict[str, int]:
    """Return how many tickets a request asks of each quota."""
    return dict(Counter(each.quota for each in body.tickets))


def body_of(request: Request) -> OrderRequested:
    """Return what a device asked for."""
    return decode(request.body, OrderRequested)


def _find(work: Work, order: str) -> Request | None:
    return next(iter(work.of(Request).where("order_id", order)), None)


# --- as the planner answers


def concerned(rows: Rows, quotas: Iterable[str]) -> set[str]:
    """Return these quotas and all others that have to be locked with them to answer the requests that wait for them.

    Read without a lock: what arrives meanwhile is answered when its quotas are planned the next time.
    """
    found: set[str] = set()
    fresh = set(quotas)
    while fresh:
        found |= fresh
        orders = {each.order_id for each in rows.find(Asked, ("quota",), [(each,) for each in sorted(fresh)])}
        asked = rows.find(Asked, ("order_id",), [(each,) for each in sorted(orders)])
        fresh = {each.quota for each in asked} - found
    return found


@dataclass(frozen=True)
class Desk:
    """What answering needs: the planner's working set, with its ``quotas`` locked and their waitlists served.

    Nothing is drawn on a quota without a round, one that is frozen; what needs no stock, a last no, is said all the same.
    """

    work: Work
    quotas: Collection[str]
    rounds: Mapping[str, Round]
    devices: Mapping[str, Device]
    catalogue: Catalogue
    forwarder: Forwarder
    wall_ms: int


def answer(desk: Desk, settled: Settled) -> answers.Answers:
    """Answer what can be answered: debit, write the answer's letters, close the request; the rest keeps its place."""
    work = desk.work
    orders = {each.order_id for quota in desk.quotas for each in work.of(Asked).where("quota", quota)}
    work.fetch((kind, "order_id", order) for order in sorted(orders) for kind in (Request, Asked, RequestWish))
    open_ = {order: found for order in sorted(orders) if (found := _find(work, order)) is not None}
    stock = {name: answers.Stock(each.left, each.coming) for name, each in desk.rounds.items()}
    ready = caught_up(work, (each.device for each in open_.values()))
    decided = answers.decide((_ask(desk, each, ready) for each in open_.values()), stock)
    for order in decided.confirmed:
        _confirm(desk, open_[order], settled)
    for order, reason in decided.refused:
        _refuse(desk, open_[order], reason)
    for order in decided.withdrawn:
        settled_before = work.of(RequestWish).get(order, "settled") is not None
        _close(work, open_[order], "confirmed" if settled_before else "withdrawn", desk.wall_ms)
    return decided


def _ask(desk: Desk, request: Request, ready: Collection[str]) -> answers.Ask:
    asked = {each.quota: each.quantity for each in desk.work.of(Asked).where("order_id", request.order_id)}
    wishes = {each.wish for each in desk.work.of(RequestWish).where("order_id", request.order_id)}
    wish = next((each for each in ("withdraw", "refuse", "confirm") if each in wishes), "")
    if "settled" in wishes:
        wish = "withdraw"  # its device holds the answer of a cloud that forgot it: nothing is left to be done
    device = desk.devices.get(request.device)
    sessions = [found.at if (found := desk.catalogue.quota.get(each)) else None for each in asked]
    over, last_call = _over(sessions, desk.wall_ms)
    if device is None or device.status == "sealed":
        over = "sealed"
    return answers.Ask(
        order=request.order_id,
        place=request.place,
        needs=asked,
        wish=wish,  # type: ignore[arg-type]  # one of those listed above
        over=over,
        last_call=last_call,
        answerable=device is not None
        and device.inc is not None
        and not device.stopped
        and device.name in ready
        and all(quota in desk.rounds for quota in asked),
    )


def _over(sessions: Iterable[EventSession | None], wall_ms: int) -> tuple[Refusal | None, bool]:
    """Return why nothing can be sold for these any more (None: it can), and whether their sale has closed."""
    over: Refusal | None = None
    last_call = False
    for at in sessions:
        if at is None or wall_ms >= at.ends_at_ms:
            over = over or "closed"
        elif at.cancelled:
            over = "cancelled"
        elif at.sale_closes_at_ms is not None and wall_ms >= at.sale_closes_at_ms:
            last_call = True
    return over, last_call


def _confirm(desk: Desk, request: Request, settled: Settled) -> None:
    """Take the tickets from the pool for good and say so to the issuer and to the doors."""
    device, body = desk.devices[request.device], body_of(request)
    stock = []
    for quota, number in tickets_by_quota(body).items():
        book = desk.rounds[quota].book
        line = book.line(device.name, device.epoch) or Line(quota, device.name, device.epoch)
        line = book.change_line(device.name, device.epoch, confirmed=line.confirmed + number)
        stock.append(StockCount(quota, device.epoch, line.totals))
    settled.granted[device.name] = device.epoch
    tickets = tuple(msgspec.structs.replace(each, epoch=device.epoch) for each in body.tickets)
    told = OrderConfirmed(body.order, body.code, body.payment, tickets, tuple(stock), desk.wall_ms)
    private = decode(request.private, Private) if request.private is not None else None
    counts = Counts(desk.work, desk.wall_ms)
    facts.record_sale(Telling(desk.work, device.name, desk.wall_ms, counts, private), told)
    desk.forwarder.send(device.name, CLOUD, told, private)
    desk.forwarder.forward(device.name, told, private)
    desk.forwarder.release(body.order, tuple(each.ticket for each in tickets))
    _close(desk.work, request, "confirmed", desk.wall_ms)


def _refuse(desk: Desk, request: Request, reason: Refusal) -> None:
    told = OrderRefused(request.order_id, reason)
    desk.forwarder.send(request.device, CLOUD, told)
    desk.forwarder.forward(request.device, told, None)
    _close(desk.work, request, "refused", desk.wall_ms, reason)


def _close(work: Work, request: Request, state: str, wall_ms: int, refusal: str = "") -> None:
    """End the wait; who asked is known to the device alone from now on."""
    work.of(Request).change(request, state=state, refusal=refusal, private=None, answered_at_ms=wall_ms)
    for asked in work.of(Asked).where("order_id", request.order_id):
        work.of(Asked).remove(asked)
    for wish in work.of(RequestWish).where("order_id", request.order_id):
        work.of(RequestWish).remove(wish)
