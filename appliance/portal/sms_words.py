"""A text message in words: what it says to the guest, and how it is doing.

It carries the booking code and no link. The code is all that the door needs; an address of this venue's network is worth
nothing elsewhere, would make two messages of one, and people are right not to tap links in messages.
"""

from __future__ import annotations

from appliance.services.staff_views import SmsView
from appliance.services.views import OrderView
from appliance.web.formats import clock, day, money
from appliance.web.texts import _, language, plural
from mqtt_bridge.protocol.ids import shown

LONGEST_TITLE, LONGEST_VENUE = 40, 30


def text_of(order: OrderView) -> str:
    """Return what is sent for an order, in the reader's language."""
    tickets = sorted(order.standing, key=lambda each: each.at.starts_at_ms)
    first, speaks = tickets[0], language()
    text = plural(
        "%(num)s ticket: %(event)s, %(day)s %(time)s, %(venue)s. Code %(code)s: show or say it at the door.",
        "%(num)s tickets: %(event)s, %(day)s %(time)s, %(venue)s. Code %(code)s: show or say it at the door.",
        len(tickets),
        event=_short(first.event.title, LONGEST_TITLE),
        day=day(first.at.starts_at_ms, first.at.timezone, speaks),
        time=clock(first.at.starts_at_ms, first.at.timezone, speaks),
        venue=_short(first.venue.name, LONGEST_VENUE),
        code=shown(order.code),
    )
    if len({each.at.id for each in tickets}) > 1:
        text += " " + _("The other dates go with the same code.")
    if order.due_minor:
        text += " " + _("To pay there: %(price)s.", price=money(order.due_minor, order.currency, speaks))
    return text


def guest_line(message: SmsView) -> tuple[str, str]:
    """Return (mark, words) for the guest who asked for a message."""
    lines = {
        "queued": ("", _("A text message with your code is on its way.")),
        "sending": ("", _("A text message with your code is on its way.")),
        "sent": ("ok", _("A text message with your code was sent.")),
        "failed": ("bad", _("The text message could not be sent. Write your code down.")),
    }
    doubtful = _("A text message with your code was sent, but nobody confirmed it. Write your code down.")
    return lines.get(message.state, ("", doubtful))


def staff_line(message: SmsView) -> tuple[str, str]:
    """Return (mark, words) for staff."""
    lines = {
        "queued": ("", _("waiting") if not message.attempts else _("not sent yet; tried again soon")),
        "sending": ("", _("being sent")),
        "sent": ("good", _("sent")),
        "failed": ("bad", _("not sent")),
    }
    return lines.get(message.state, ("warn", _("perhaps sent: ask the guest")))


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3].rstrip() + "..."
