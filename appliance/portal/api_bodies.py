"""What the API accepts. Every struct refuses unknown fields; the OpenAPI document is made from these very definitions."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mqtt_bridge.protocol.messages import Method
from mqtt_bridge.protocol.money import Money

MOST_LINES = 20
MOST_TICKETS = 10_000

# Counted in code points as sent; after NFC the use case allows 200 characters.
Text = Annotated[str, Meta(max_length=800, description="At most 200 characters after NFC, no control characters.")]
Id = Annotated[str, Meta(min_length=1, max_length=64)]


class HoldItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many tickets of one type; each type at most once in a hold."""

    ticket_type: Annotated[
        str, Meta(min_length=1, max_length=64, description="Id of a ticket type, from GET /api/v1/events.")
    ]
    quantity: Annotated[int, Meta(ge=1, le=MOST_TICKETS)]


class HoldRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tickets to hold, all or nothing."""

    items: Annotated[tuple[HoldItem, ...], Meta(min_length=1, max_length=MOST_LINES)]


class WaitlistRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tickets of one quota to wait for, all of them together; a contact goes into the order once they are taken."""

    items: Annotated[tuple[HoldItem, ...], Meta(min_length=1, max_length=MOST_LINES)]
    contact: Text = ""


class OrderRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hold to confirm; name and contact may be left out."""

    hold: Annotated[str, Meta(min_length=1, max_length=64, description="Id of the hold.")]
    name: Text = ""
    contact: Text = ""
    member: Annotated[str, Meta(max_length=256, description="Member number, where a ticket is for members.")] = ""
    language: Annotated[str, Meta(pattern="^[a-z]{2}$", description="Language of what is mailed.")] = "en"


class ProofRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that was sent to the contact of a pending order."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]


class CodeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another code, please; with a contact, to that one from now on."""

    contact: Text = ""


class PaymentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money taken by staff; with ``comp`` the amount is what is given away."""

    method: Method
    amount: Money


class RefundRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money paid back by staff, at most what is owed."""

    method: Literal["cash", "terminal"]
    amount: Money


class SignInRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Badge and PIN of a member of staff."""

    badge: Annotated[str, Meta(min_length=1, max_length=400, description="Its name, or the signed text of a card.")]
    pin: Annotated[str, Meta(min_length=1, max_length=64)]


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whom and which date a short-lived token is wanted; the id of the order is the right to it."""

    order: Annotated[str, Meta(min_length=1, max_length=64)]
    event_session: Annotated[str, Meta(min_length=1, max_length=64)]
    audience: Literal["attendee", "viewer"] = "attendee"


class CheckInRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was scanned or typed: a readable code or a whole receipt; ``way`` says whether somebody comes in or goes out.

    Without it the lane's switch decides, which is in unless staff set it.
    """

    code: Annotated[str, Meta(min_length=1, max_length=2048)]
    lane: Annotated[str, Meta(max_length=40, description="Where it was scanned; default: this portal.")] = ""
    way: Literal["in", "out"] | None = None
