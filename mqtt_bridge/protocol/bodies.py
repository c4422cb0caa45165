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
# device that took it was sealed. Of a pre-enrolment: no member is known by this number, or nobody proved anything in time.
Refusal = Literal["sold_out", "closed", "cancelled", "operator", "sealed", "member", "late"]
# What has to be proven before a ticket admits: that the contact is this person's, or besides that they are a member.
Verify = Literal["contact", "member"]
# How a contact is proven: by a code that the cloud mails, or by one that the device's own modem sends.
Channel = Literal["mail", "sms"]
# What a pre-enrolment waits for: the code, the word of whoever knows the members, or a person's.
WaitsFor = Literal["code", "standing", "operator"]
# What was said of the code last: under way, mailed, not to be delivered, too many asked for, wrong, or no tries are left.
CodeNews = Literal["", "sent", "undeliverable", "limited", "wrong", "spent"]


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


class Sold(Body, frozen=True):
    """Tickets were issued and count as sold; ``stock`` are the device's totals afterwards. Name and contact travel in the private part."""

    order: str
    code: str
    payment: Payment
    tickets: tuple[TicketFact, ...]
    stock: tuple[StockCount, ...]


class OrderConfirmed(Sold, frozen=True):
    """A device sold an order, or what it had sold before was verified (then its totals are as they were).

    From the cloud itself it is the answer to ``OrderRequested``: ``stock`` then are the cloud's totals of the device, and the
    tickets name the epoch whose ``confirmed`` counts them.
    """

    confirmed_at_ms: int
    sold_by: str = ""


class OrderPending(Sold, frozen=True):
    """A device sold an order that admits nobody before ``verify`` was proven; see docs/pre-enrolment.md.

    ``language`` is that of whoever booked, for what is mailed to them.

    The member's number, if it takes one, travels in the private part like name and contact.
    """

    pending_at_ms: int
    verify: Verify
    channel: Channel
    language: str = "en"


class OrderVerified(Body, frozen=True):
    """A pre-enrolment admits from now on: the cloud says so to its issuer and its doors, or staff do who saw the proof.

    ``by`` is "centre", "operator", or the badge of who decided it at the door.
    """

    order: str
    by: str


class ContactCodeWanted(Body, frozen=True):
    """Please mail a code, a first one or another; the private part says where to, also where it was corrected."""

    order: str


class ContactCodeEntered(Body, frozen=True):
    """Somebody typed a code on the page of an order; right or wrong, it is of no use to anybody afterwards."""

    order: str
    code: str


class ContactLinkFollowed(Body, frozen=True):
    """Somebody followed a mailed link at any device and said that it is theirs; ``link`` is the secret in it."""

    link: str


class ContactProven(Body, frozen=True):
    """The device itself proved the contact, by a code that its own modem sent; what else is needed is the cloud's to find out."""

    order: str


class VerificationMoved(Body, frozen=True):
    """The cloud tells the issuer what a pre-enrolment waits for, what became of the code, and how often one may still be typed."""

    order: str
    waits_for: WaitsFor
    news: CodeNews = ""
    tries_left: int = 0


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
    """The cloud cannot meet a request (any more), or a pre-enrolment was not verified; final."""

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


class CancelRequested(Body, frozen=True, omit_defaults=True):
    """A cancel waits for the host door to void the tickets; their stock stays sold.

    ``unpaid``: no guest asked for it, a time was over and nobody had paid as far as the issuer knows; a door that took the money
    refuses. Where it is not so nothing is sent: older versions refuse a field that they do not know.
    """

    order: str
    tickets: tuple[TicketFact, ...]
    unpaid: bool = False


class TicketsVoided(Body, frozen=True):
    """The host door will never admit these tickets of an order; only now may the issuer count them cancelled."""

    order: str
    tickets: tuple[str, ...]


class CancelRefused(Body, frozen=True):
    """The host door had already admitted someone on this order, or knows that it is paid which its issuer took for unpaid.

    It stays valid.
    """

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
