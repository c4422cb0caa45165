"""Text messages that guests asked for: one per order, one under way at a time, none twice unless a person says so.

``domain/sms.py`` says what may become of a message. The desk claims one, sends it, and says what is certain.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from sqlalchemy import Row

from appliance.domain.clock import DAY_MS, HOUR_MS
from appliance.domain.errors import Invalid, LimitReached, NotFound
from appliance.domain.sms import Decision, State, decided, move, retry_after_ms
from appliance.services import hardware, rates
from appliance.services.box import Unit
from appliance.services.rows import order_row
from appliance.services.staff_views import SmsView
from appliance.store import orders, records, sms

MODEM = "modem"
MOST_WAITING = 200
PER_NUMBER_AND_HOUR = 3
PER_CLIENT_AND_HOUR = 5
SHOWN = 50
KEPT_NAMED_MS = 2 * DAY_MS
KEPT_MS = 30 * DAY_MS
# Without a date to hold on to, and where the clock is not to be trusted, a message is of use this long.
USEFUL_MS = DAY_MS
# The status of an order for which a message is of use.
WANTED = {"ticket": "confirmed", "code": "pending"}
_ERASED = "Number and text were erased."


class Outcome(NamedTuple):
    """What became of a message that was being sent.

    ``queued`` stands for "certainly not sent, and trying again may help"; ``failed`` for "certainly not sent, and it cannot".
    """

    state: State
    reason: str = ""
    reference: str = ""


def known(unit: Unit) -> bool:
    """Return whether the desk looks after a modem at all, well or not: what is asked for now waits for it."""
    return _modem_state(unit) is not None


def offered(unit: Unit) -> bool:
    """Return whether guests may ask for messages now: the desk says that its modem is ready, and the queue has room."""
    return _modem_state(unit) == "ready" and sms.count_waiting(unit.db) < MOST_WAITING


def wanting_a_look(unit: Unit) -> int:
    """Return how many messages a person has to decide about."""
    return sum(1 for row in sms.in_state(unit.db, "ambiguous") if row.number)


def ask(unit: Unit, order_id: str, number: str, text: str) -> SmsView:
    """Queue the one message of an order because its guest asked for it; asking again changes nothing unless it has failed.

    Raises ``NotFound``, ``Invalid`` for an order that is not confirmed, and ``LimitReached`` where too many are asked for.
    """
    row = order_row(unit, order_id)
    if row.status != "confirmed":
        msg = "Only the code of a confirmed booking is sent."
        raise Invalid(msg, field="sms")
    before = sms.of_order(unit.db, order_id)
    if before is not None and before.state != "failed" and before.purpose == "ticket":
        return view(before)
    return _queue(unit, row, number, text, "ticket")


def send_code(unit: Unit, order_id: str, number: str, text: str) -> SmsView:
    """Queue a code that proves the number of a pending order; it takes the place of one that was sent before.

    Raises ``NotFound``, ``Invalid`` for an order that is not pending or whose last code is just being sent, and ``LimitReached``.
    """
    row = order_row(unit, order_id)
    before = sms.of_order(unit.db, order_id)
    if row.status != "pending" or (before is not None and before.state == "sending"):
        msg = "No code can be sent for this order now."
        raise Invalid(msg, field="sms")
    return _queue(unit, row, number, text, "code")


def _queue(unit: Unit, row: Row[Any], number: str, text: str, purpose: Literal["ticket", "code"]) -> SmsView:
    order_id, before = row.id, sms.of_order(unit.db, row.id)
    _require_room(unit, number, row.client)
    values = {
        "number": number,
        "text": text,
        "state": "queued",
        "reason": "",
        "attempts": 0,
        "inc": unit.inc,
        "due_boot_id": unit.now.boot_id,
        "due_boot_ms": unit.now.boot_ms,
        "keep_until_ms": _useful_until_ms(unit, order_id),
        "changed_at_ms": unit.now.wall_ms,
        "purpose": purpose,
    }
    if before is None:
        sms.add(unit.db, {"order": order_id, "reference": "", "created_at_ms": unit.now.wall_ms, **values})
    else:
        sms.change(unit.db, before.id, **values)
    unit.wakes.add("desk")
    return view(_found(sms.of_order(unit.db, order_id)))


def of_order(unit: Unit, order_id: str) -> SmsView | None:
    """Return the message of an order."""
    row = sms.of_order(unit.db, order_id)
    return None if row is None else view(row)


def recent(unit: Unit) -> tuple[SmsView, ...]:
    """Return messages for staff, those that want a look first."""
    return tuple(view(row) for row in sms.recent(unit.db, SHOWN))


def claim(unit: Unit, per_hour: int) -> SmsView | None:
    """Return the next message to send, now ``sending``; None if there is none, one is under way, or the hour's are used up."""
    if unit.device.frozen or unit.device.sealed or sms.in_state(unit.db, "sending"):
        return None
    if unit.now.trusted:
        sms.fail_late(unit.db, unit.now.wall_ms, "It came too late to be of use.")
    row = sms.next_due(unit.db, unit.inc, unit.now)
    while row is not None and row.status != WANTED[row.purpose]:
        values = {"state": move(row.state, "failed"), "reason": "The booking does not stand any more."}
        sms.change(unit.db, row.id, changed_at_ms=unit.now.wall_ms, number="", text="", **values)
        row = sms.next_due(unit.db, unit.inc, unit.now)
    if row is None or rates.counted(unit, "sms", "sent", HOUR_MS) >= per_hour:
        return None
    # Every attempt counts: the network may have taken any of them.
    rates.count(unit, "sms", "sent", HOUR_MS)
    state = move(row.state, "sending")
    sms.change(unit.db, row.id, state=state, attempts=row.attempts + 1, changed_at_ms=unit.now.wall_ms)
    return view(_find(unit, row.id))


def finish(unit: Unit, message: int, outcome: Outcome) -> SmsView:
    """Say what became of a message that was ``sending``; raises ``Invalid`` for one that is not.

    One that was certainly not sent waits and is tried again, a few times; number and text of a sent one are wiped.
    """
    row = _find(unit, message)
    if row.state != "sending":
        msg = f"Message {message} is {row.state}, not sending."
        raise Invalid(msg, field="message")
    state, wait_ms = outcome.state, 0
    if state == "queued":
        again_ms = retry_after_ms(row.attempts)
        state, wait_ms = ("queued", again_ms) if again_ms is not None and row.number else ("failed", 0)
    values: dict[str, Any] = {"state": move("sending", state), "reason": outcome.reason, "reference": outcome.reference}
    if state == "queued":
        values |= {"due_boot_id": unit.now.boot_id, "due_boot_ms": unit.now.boot_ms + wait_ms}
    if state == "sent":
        values |= {"number": "", "text": ""}
    sms.change(unit.db, message, changed_at_ms=unit.now.wall_ms, **values)
    return view(_find(unit, message))


def recover(unit: Unit) -> int:
    """Call once when the desk starts: what became of a message that was ``sending`` nobody knows; return how many."""
    found = sms.in_state(unit.db, "sending")
    for row in found:
        _doubt(unit, row, "The desk stopped while this was being sent.")
    return len(found)


def resolve(unit: Unit, message: int, decision: Decision, staff: str) -> SmsView:
    """Let a person decide about a message: it arrived, it is sent again, or it is left. Raises ``Invalid`` or ``NotFound``."""
    row = _find(unit, message)
    state = decided(row.state, decision)
    values: dict[str, Any] = {"state": state, "changed_at_ms": unit.now.wall_ms}
    if state == "queued":
        if not row.number:
            msg = "Its number was erased: it cannot be sent again."
            raise Invalid(msg, field="message")
        values |= {"attempts": 0, "reason": "", "inc": unit.inc}
        values |= {"due_boot_id": unit.now.boot_id, "due_boot_ms": unit.now.boot_ms}
        values |= {"keep_until_ms": max(row.keep_until_ms, unit.now.wall_ms + HOUR_MS)}
        unit.wakes.add("desk")
    else:
        values |= {"number": "", "text": ""}
    sms.change(unit.db, message, **values)
    unit.audit(staff, f"sms_{decision}", str(message))
    return view(_find(unit, message))


def drop_code(unit: Unit, order_id: str) -> None:
    """Forget the message with a code that is of no use any more, so that one with the ticket may follow."""
    sms.drop_code(unit.db, order_id)


def tidy(unit: Unit) -> None:
    """Doubt what waited in an earlier life; give up what is too late, wipe what is old and drop it later (trusted clock only)."""
    for row in sms.in_state(unit.db, "queued"):
        if row.inc != unit.inc:
            _doubt(unit, row, "This card was copied or put back: another one may have sent this.")
    if not unit.now.trusted:
        return
    sms.fail_late(unit.db, unit.now.wall_ms, "It came too late to be of use.")
    sms.forget_before(unit.db, unit.now.wall_ms - KEPT_NAMED_MS)
    sms.drop_before(unit.db, unit.now.wall_ms - KEPT_MS)


def forget(unit: Unit, of_orders: set[str]) -> None:
    """Wipe number and text of these orders' messages; what was queued is not sent any more."""
    sms.forget(unit.db, of_orders, _ERASED, unit.now.wall_ms)


def view(row: Row[Any]) -> SmsView:
    """Return a message as a view."""
    return SmsView(
        id=row.id,
        order_code=row.code,
        number=row.number,
        text=row.text,
        state=row.state,
        reason=row.reason,
        attempts=row.attempts,
        created_at_ms=row.created_at_ms,
        changed_at_ms=row.changed_at_ms,
    )


def _doubt(unit: Unit, row: Row[Any], reason: str) -> None:
    state = move(row.state, "ambiguous")
    sms.change(unit.db, row.id, state=state, reason=reason, changed_at_ms=unit.now.wall_ms)


def _modem_state(unit: Unit) -> str | None:
    """What the desk said of its modem a moment ago; None where it says nothing."""
    for row in records.hardware_rows(unit.db):
        if row.name == MODEM and not hardware.is_silent(unit, row):
            return str(row.state)
    return None


def _require_room(unit: Unit, number: str, client: str) -> None:
    """Refuse what would fill the queue, or make this box office pester a number."""
    words = "So many text messages cannot be sent now. Your booking is safe; write its code down."
    if sms.count_waiting(unit.db) >= MOST_WAITING:
        raise LimitReached(words, "sms", 600)
    numbers, clients = ("sms-number", number.lstrip("+0")), ("sms-client", client)
    rates.check(unit, *numbers, PER_NUMBER_AND_HOUR, HOUR_MS, words)
    rates.check(unit, *clients, PER_CLIENT_AND_HOUR, HOUR_MS, words)
    rates.count(unit, *numbers, HOUR_MS)
    rates.count(unit, *clients, HOUR_MS)


def _useful_until_ms(unit: Unit, order_id: str) -> int:
    """When the last date of an order is over; a day from now where the catalogue does not know."""
    sessions = unit.catalogue.event_session
    known = [sessions.get(row.event_session) for row in orders.tickets(unit.db, order_id)]
    return max((each.at.ends_at_ms for each in known if each is not None), default=unit.now.wall_ms + USEFUL_MS)


def _find(unit: Unit, message: int) -> Row[Any]:
    return _found(sms.find(unit.db, message))


def _found(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        msg = "This message does not exist."
        raise NotFound(msg)
    return row
