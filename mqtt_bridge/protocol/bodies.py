"""What sequenced messages say: facts are past tense, requests imperative; the tag is the wire name."""

from __future__ import annotations

from typing import Literal

import msgspec

from mqtt_bridge.protocol.stock import Totals

Payment = Literal["promised", "paid"]
Method = Literal["cash", "terminal", "comp"]
Verdict = Literal["admitted", "already_admitted", "refused"]
Reason = Literal[
    "unknown",
    "wrong_session",
    "cancelled",
    "unpaid",
    "requested",
    "pending",
    "refused",
    "unknown_issuer",
    "bad_signature",
    "no_re_entry",
    "not_inside",
]
# What a scan on the way out is answered with.
ExitVerdict = Literal["left", "refused"]
# Why a request was refused: no stock can come any more, the sale or the date is over, called off, a person said no, or the
# device that took it was sealed.
Refusal = Literal["sold_out", "closed", "cancelled", "operator", "sealed"]


class Body(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True, gc=False):
    """A tagged body; unknown fields are refused so that a version mismatch is loud."""


class StockCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A device's own totals of one quota after the change the message reports."""

    quota: str
    epoch: int
    totals: Totals
    held: int = 0


class TicketFact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One ticket: id (right to nothing), readable code, what it admits to and what it costs."""

    ticket: str
    code: str
    ticket_type: str
    event_session: str
    quota: str
    epoch: int
    price_minor: int
    currency: str


class OrderConfirmed(Body, frozen=True):
    """A device sold an order; ``stock`` are its totals afterwards. Name and contact travel in the private part.

    From the cloud itself it is the answer to ``OrderRequested``: ``stock`` then are the cloud's totals of the device, and the
    tickets name the epoch whose ``confirmed`` counts them.
    """

    order: str
    code: str
    payment: Payment
    tickets: tuple[TicketFact, ...]
    stock: tuple[StockCount, ...]
    confirmed_at_ms: int
    sold_by: str = ""


class OrderRequested(Body, frozen=True):
    """A guest asked for tickets past the device's allocation: no stock is claimed (epoch 0), the cloud answers.

    Answered with ``OrderConfirmed`` under the same ids or ``OrderRefused``. Name and contact travel in the private part.
    """

    order: str
    code: str
    payment: Payment
    tickets: tuple[TicketFact, ...]
    requested_at_ms: int


class OrderRefused(Body, frozen=True):
    """The cloud cannot meet a request (any more); final."""

    order: str
    reason: Refusal


class RequestWithdrawn(Body, frozen=True):
    """The guest took a request back; a confirmation that crossed it is cancelled by the usual rule."""

    order: str


class PaymentTaken(Body, frozen=True):
    """Staff took money for an order; the order is paid once its payments reach its total."""

    order: str
    payment: str
    method: Method
    amount_minor: int
    currency: str
    staff: str
    paid: bool
    tickets: tuple[str, ...]


class CancelRequested(Body, frozen=True):
    """A cancel waits for the host door to void the tickets; their stock stays sold."""

    order: str
    tickets: tuple[TicketFact, ...]


class TicketsVoided(Body, frozen=True):
    """The host door will never admit these tickets of an order; only now may the issuer count them cancelled."""

    order: str
    tickets: tuple[str, ...]


class CancelRefused(Body, frozen=True):
    """The host door had already admitted someone on this order; it stays valid."""

    order: str
    tickets: tuple[str, ...]


class OrderCancelled(Body, frozen=True):
    """The issuing device counted the tickets as cancelled; ``stock`` are its totals afterwards."""

    order: str
    tickets: tuple[str, ...]
    stock: tuple[StockCount, ...]


class CheckedIn(Body, frozen=True):
    """A scan happened at a door; recorded whatever the verdict was. ``after`` is the exit that a re-entry follows."""

    check_in: str
    verdict: Verdict
    reason: Reason | None
    ticket: str | None
    event_session: str | None
    staff: str
    at_ms: int
    after: str | None = None


class Exited(Body, frozen=True):
    """A scan on the way out, recorded whatever the verdict was. ``after`` is the admission that it ends.

    It is taken back like any scan, with ``CheckInUndone`` naming ``check_in``.
    """

    check_in: str
    verdict: ExitVerdict
    reason: Reason | None
    ticket: str | None
    event_session: str | None
    staff: str
    at_ms: int
    after: str | None = None


class CheckInUndone(Body, frozen=True):
    """Staff took a check-in back."""

    check_in: str
    ticket: str | None
    staff: str


class AllocationReturned(Body, frozen=True):
    """A device gave stock back; it debited itself before it sent this."""

    stock: tuple[StockCount, ...]


class ReceiptSeen(Body, frozen=True):
    """A door was shown a genuine receipt of a sale it had never heard of: whoever sold it may never tell itself."""

    receipt: str


class DeviceClosed(Body, frozen=True):
    """The last word of a sealed device: it sells nothing more, and gave back all it had in ``stock``, the totals of its life."""

    stock: tuple[StockCount, ...]


class KeyPublished(Body, frozen=True):
    """A device's public receipt key (32 raw bytes, hex); ``retires`` names the key it replaces."""

    kid: str
    public: str
    retires: str | None = None


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """So many tickets of one type, wanted by a waitlist entry."""

    ticket_type: str
    quantity: int


class WaitlistJoined(Body, frozen=True):
    """Somebody waits at a device for tickets of one quota, all or none; ``number`` counts the entries of that device.

    Told again in a new life of the device; the entry keeps the place that the cloud gave it first.
    """

    entry: str
    quota: str
    number: int
    wishes: tuple[Wish, ...]
    joined_at_ms: int


class OfferMade(Body, frozen=True):
    """A device holds tickets for a waitlist entry for some minutes; ``stock`` are its totals afterwards."""

    entry: str
    quota: str
    stock: tuple[StockCount, ...]


class OfferWithdrawn(Body, frozen=True):
    """The device lost the stock behind an offer; the entry waits again, at its place."""

    entry: str
    quota: str


class WaitlistLeft(Body, frozen=True):
    """An entry came to its end, for good: taken, lapsed, left by the guest, or closed with its session."""

    entry: str
    quota: str
    why: Literal["taken", "lapsed", "left", "closed"]
    stock: tuple[StockCount, ...]


class TicketsWithdrawn(Body, frozen=True):
    """An operator takes tickets back: their host door voids them unless somebody came in, then the issuer counts them.

    It tells all that a door needs which never heard of the order. ``why`` is the kind of contradiction it resolves.
    """

    order: str
    code: str
    issuer: str
    payment: Payment
    tickets: tuple[TicketFact, ...]
    why: str


class Swap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A ticket and the one that takes its place; the price stays what it was."""

    old: TicketFact
    new: TicketFact


class OrderRebooked(Body, frozen=True):
    """An operator moved tickets of an order to another session: the old ones are withdrawn, the new ones admit there.

    ``signer`` is the device that makes the new tickets' receipts; the cloud counted them in ``confirmed`` of that device, whose
    totals ``stock`` are.
    """

    order: str
    code: str
    issuer: str
    signer: str
    payment: Payment
    swaps: tuple[Swap, ...]
    why: str
    stock: tuple[StockCount, ...] = ()


class RefundOwed(Body, frozen=True):
    """``owed_minor`` in all is to be paid back for an order, at any desk; a later word replaces an earlier one."""

    order: str
    owed_minor: int
    currency: str
    why: str


class RefundPaid(Body, frozen=True):
    """Staff paid money back for an order (``amount_minor`` is positive); a desk records it as a negative payment."""

    order: str
    payment: str
    method: Method
    amount_minor: int
    currency: str
    staff: str


class ErasePersonalData(Body, frozen=True):
    """Please forget names and contacts: of ``order``, or of whoever's contact has this salted ``digest`` (hex sha256)."""

    erasure: str
    order: str = ""
    salt: str = ""
    digest: str = ""


class PersonalDataErased(Body, frozen=True):
    """A device has forgotten what an erasure asked for; ``orders`` is how many of its orders that concerned."""

    erasure: str
    orders: int


class ConversionCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How many phones reached a stage of an event here, in all so far; both names are empty where nothing is compared."""

    event: str
    experiment: str
    variant: str
    stage: Literal["seen", "held", "confirmed", "admitted"]
    phones: int


class ConversionCounted(Body, frozen=True):
    """What a device counted of its visitors: totals that only grow, so the largest ever told counts."""

    counts: tuple[ConversionCount, ...]


class WaitlistEntrusted(Body, frozen=True):
    """Please answer for this entry from now on: its device was sealed, or you began a new life without it.

    ``number`` is its place among your entries (negative: before all that joined with you). You tell of it as if it had joined.
    """

    entry: str
    quota: str
    number: int
    wishes: tuple[Wish, ...]
    joined_at_ms: int


class ReturnAllocation(Body, frozen=True):
    """Please return stock until your ``returned`` total of this epoch reaches ``returned`` (or you have none free)."""

    quota: str
    epoch: int
    returned: int
