"""The JSON API: every operation, the use case behind it and the refusals it may answer."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, url_for

from appliance.domain import people
from appliance.domain.errors import Invalid
from appliance.portal import api_answers as answers
from appliance.portal import api_tokens, verify_pages
from appliance.portal.api_bodies import (
    CheckInRequest,
    CodeRequest,
    HoldItem,
    HoldRequest,
    OrderRequest,
    PaymentRequest,
    ProofRequest,
    RefundRequest,
    SignInRequest,
    WaitlistRequest,
)
from appliance.portal.api_calls import Answer, Call, PageOf, UseCase, reading, run_asking, signed_in, writing
from appliance.portal.routes import Route, Table
from appliance.services import (
    booking,
    changing,
    door,
    listing,
    payments,
    repairs,
    searching,
    staff,
    verifying,
    waitlist,
)
from appliance.services.box import Unit
from appliance.services.views import OrderView
from appliance.web import bodies, clients, freshness
from appliance.web.request_log import note
from appliance.web.site import site
from mqtt_bridge.protocol.money import to_minor


def place_hold(unit: Unit, call: Call[HoldRequest]) -> Answer:
    """Hold tickets, all or nothing."""
    view = booking.place_hold(unit, call.caller.client, _items(call.body.items))
    note(hold=view.code)
    return 201, answers.hold(view)


def hold_page(answer: bytes) -> str:
    """Return the page of a hold that was answered."""
    hold = msgspec.json.decode(answer, type=answers.Hold).hold
    return url_for("attendee.hold", token=site().tokens.mint("hold", hold))


def order_page(answer: bytes) -> str:
    """Return the page of an order that was answered, for whoever may also cancel it."""
    order = msgspec.json.decode(answer, type=answers.Order).order
    return url_for("attendee.order", token=site().tokens.mint("order-manage", order))


def _items(asked: tuple[HoldItem, ...]) -> tuple[booking.Item, ...]:
    kinds = [each.ticket_type for each in asked]
    for index, kind in enumerate(kinds):
        if kind in kinds[:index]:
            msg = "This ticket type is asked for twice. Add the quantities."
            raise Invalid(msg, field=f"items[{index}].ticket_type")
    return tuple(booking.Item(each.ticket_type, each.quantity) for each in asked)


def release_hold(unit: Unit, call: Call[None]) -> Answer:
    """Give a hold back; a second time changes nothing."""
    booking.release_hold(unit, call.id)
    return 204, None


def join_waitlist(unit: Unit, call: Call[WaitlistRequest]) -> Answer:
    """Wait for tickets of one quota."""
    view = waitlist.join(unit, call.caller.client, _items(call.body.items), call.body.contact)
    note(waitlist_position=view.position)
    return 201, answers.entry(view)


def leave_waitlist(unit: Unit, call: Call[None]) -> Answer:
    """Leave a waitlist, or give its offer back; a second time changes nothing."""
    waitlist.leave(unit, call.id)
    return 204, None


def confirm(unit: Unit, call: Call[OrderRequest]) -> Answer:
    """Turn a hold into an order; a second order for one hold is the first."""
    body = call.body
    who = {"name": body.name, "contact": body.contact, "member": body.member, "language": body.language}
    view = booking.confirm(unit, body.hold, **who, client=call.caller.client)
    verify_pages.send_along(unit, view)
    note(order=view.code, order_status=view.status)
    return 201, answers.order(view)


def prove(unit: Unit, call: Call[ProofRequest]) -> Answer:
    """Try the code of a pending order; 202 while the centre has not spoken."""
    step = verifying.enter_code(unit, call.id, call.body.code)
    if step.result == "unreadable":
        raise Invalid("A code has eight digits.", field="code")
    view = booking.find_order(unit, call.id)
    note(order=view.code, order_status=view.status, proof=step.result)
    return (202 if view.status == "pending" else 200), answers.order(view)


def want_code(unit: Unit, call: Call[CodeRequest]) -> Answer:
    """Have another code sent."""
    verifying.want_code(unit, call.id, verify_pages.code_text, call.body.contact)
    return 202, answers.order(booking.find_order(unit, call.id))


def cancel(unit: Unit, call: Call[None]) -> Answer:
    """Cancel an order; 202 while the host door has not spoken."""
    view = booking.cancel(unit, call.id)
    note(order=view.code, order_status=view.status)
    return (202 if view.status == "cancel_pending" else 200), answers.order(view)


def change(unit: Unit, call: Call[HoldRequest]) -> Answer:
    """Give other tickets of the same event for those of an order; a second time it is the same."""
    view = changing.change(unit, call.id, _items(call.body.items))
    note(order=view.code, order_status=view.status)
    return 201, answers.order(view)


def take_payment(unit: Unit, call: Call[PaymentRequest]) -> Answer:
    """Write down money taken."""
    amount_minor = _amount(booking.find_order(unit, call.id), call.body)
    view = payments.take_payment(unit, call.id, call.caller.badge, call.body.method, amount_minor)
    note(order=view.code, payment=view.payment, method_of_payment=call.body.method)
    return 201, answers.order(view)


def pay_back(unit: Unit, call: Call[RefundRequest]) -> Answer:
    """Write down money paid back."""
    amount_minor = _amount(booking.find_order(unit, call.id), call.body)
    view = repairs.pay_back(unit, call.id, call.caller.badge, call.body.method, amount_minor)
    note(order=view.code, method_of_refund=call.body.method)
    return 201, answers.order(view)


def _amount(order: OrderView, body: PaymentRequest | RefundRequest) -> int:
    if body.amount.currency != order.currency:
        msg = f"This order is in {order.currency}. Give the amount in that currency."
        raise Invalid(msg, field="amount.currency")
    try:
        return to_minor(body.amount.amount, order.currency)
    except ValueError as error:
        raise Invalid(f"{error}.", field="amount.amount") from None


def check_in(unit: Unit, call: Call[CheckInRequest]) -> Answer:
    """Record a scan and say whether to let the person in."""
    lane = people.clean(call.body.lane, "lane") or site().settings.lane
    if lane.startswith("@"):
        raise Invalid("A lane does not begin with @: that names scans of other doors.", field="lane")
    view = door.check_in(unit, call.body.code, call.caller.badge, lane, call.body.way)
    note(verdict=view.verdict, reason=view.reason, ticket=view.ticket.id if view.ticket else None)
    return 200, answers.check_in(view)


def undo_check_in(unit: Unit, call: Call[None]) -> Answer:
    """Take a scan back."""
    door.undo(unit, call.id, call.caller.badge)
    return 204, None


def sign_in() -> Response:
    """Exchange badge and PIN for a token. Never replayed: an answer that is a secret is stored nowhere."""
    bodies.idempotency_key()
    body = bodies.read(SignInRequest)
    view = staff.sign_in(site().box, body.badge, body.pin, clients.address())
    return bodies.answer(answers.staff_sign_in(view), 201)


def search_orders() -> Response:
    """Look orders up for staff; never cached, since it names people."""
    signed_in()
    text = bodies.query("q")
    response = bodies.answer(answers.found_orders(site().box.look(lambda unit: searching.search(unit, text))))
    response.headers["Cache-Control"] = "no-store"
    return response


# fmt: off
READS = (
    (Route("GET", "/events", "listing", "What is on, with availability here", {200: answers.EventList},
           who="guest", fresh=freshness.EVENT_LIST),
     listing.listing, answers.event_list),
    (Route("GET", "/availability", "availability", "Availability only; small and cheap to cache",
           {200: answers.Availability, 304: None}, fresh=freshness.AVAILABILITY),
     listing.availability, answers.availability),
    (Route("GET", "/orders/<order>", "show_order", "An order as it is now", {200: answers.Order}, refusals=(404,)),
     booking.find_order, answers.order),
    (Route("GET", "/waitlist/<entry>", "show_entry", "A place on a waitlist as it is now", {200: answers.Entry},
           refusals=(404,)),
     waitlist.look, answers.entry),
)
# What claims stock asks the cloud before it refuses: an expired hold that is confirmed claims anew.
CLAIMS: tuple[tuple[Route, UseCase, PageOf], ...] = (
    (Route("POST", "/orders/<order>/changes", "change_order", "Other tickets of the same event instead, all or nothing",
           {201: answers.Order}, HoldRequest, (404, 409, 422, 429), keyed=True), change, order_page),
    (Route("POST", "/holds", "place_hold", "Hold tickets, all or nothing", {201: answers.Hold},
           HoldRequest, (409, 422, 429), "guest", keyed=True), place_hold, hold_page),
    (Route("POST", "/orders", "confirm", "Confirm a hold, or send it as a request; twice is once", {201: answers.Order},
           OrderRequest, (404, 409, 410, 422, 429), "guest", keyed=True), confirm, order_page),
)
WRITES: tuple[tuple[Route, UseCase], ...] = (
    (Route("DELETE", "/holds/<hold>", "release_hold", "Give a hold back", {204: None}, None, (404, 422, 429), keyed=True),
     release_hold),
    (Route("POST", "/waitlist", "join_waitlist", "Wait for tickets that are sold out, all of one quota, all or nothing",
           {201: answers.Entry}, WaitlistRequest, (409, 422, 429), "guest", keyed=True), join_waitlist),
    (Route("DELETE", "/waitlist/<entry>", "leave_waitlist", "Leave a waitlist, or give its offer back", {204: None}, None,
           (404, 422, 429), keyed=True), leave_waitlist),
    (Route("DELETE", "/orders/<order>", "cancel", "Cancel; 202 while the host door has not spoken",
           {200: answers.Order, 202: answers.Order}, None, (404, 409, 422, 429), keyed=True), cancel),
    (Route("POST", "/orders/<order>/proofs", "prove", "Prove the contact of a pending order by its code; 202 until the centre spoke",
           {200: answers.Order, 202: answers.Order}, ProofRequest, (404, 422, 429), keyed=True), prove),
    (Route("POST", "/orders/<order>/codes", "want_code", "Have another code sent, also to a corrected contact",
           {202: answers.Order}, CodeRequest, (404, 422, 429), keyed=True), want_code),
    (Route("POST", "/orders/<order>/payments", "take_payment", "Take money for an order, or give it away",
           {201: answers.Order}, PaymentRequest, (404, 409, 422), "staff", keyed=True), take_payment),
    (Route("POST", "/orders/<order>/refunds", "pay_back", "Record money paid back, at most the order's `refund`",
           {201: answers.Order}, RefundRequest, (404, 409, 422), "staff", keyed=True), pay_back),
    (Route("POST", "/check-ins", "check_in", "Record a scan and get the verdict", {200: answers.CheckIn},
           CheckInRequest, (409, 422), "staff", keyed=True), check_in),
    (Route("DELETE", "/check-ins/<check_in>", "undo_check_in", "Take a scan back", {204: None}, None, (404, 409, 422),
           "staff", keyed=True), undo_check_in),
)
# fmt: on


def blueprint(table: Table) -> Blueprint:
    """Return the API under /api/v1, every route entered in ``table``."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    for route, query, shape in READS:
        table.add(api, route, reading(route, query, shape))
    for route, use_case, page_of in CLAIMS:
        table.add(api, route, writing(route, use_case, run_asking, page_of))
    for route, use_case in WRITES:
        table.add(api, route, writing(route, use_case))
    enter = Route(
        "POST", "/staff/tokens", "sign_in", "Exchange badge and PIN for a bearer token", {201: answers.StaffSignIn},
        SignInRequest, (401, 422, 429),
    )  # fmt: skip
    if table.staff:
        table.add(api, enter, sign_in)
    api_tokens.register(table, api)
    find = Route(
        "GET", "/orders", "search_orders", "Orders by name or part of a code, for staff", {200: answers.FoundOrders},
        refusals=(422,), who="staff", queries=("q",),
    )  # fmt: skip
    table.add(api, find, search_orders)
    return api
