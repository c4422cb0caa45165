"""Every message, as a frozen struct. Facts are past tense, requests imperative; the tag is the wire name.

Sequenced messages (``Uplink``, ``Downlink``) travel in an ``Envelope`` through the mailboxes and are applied once, in order.
The rest (``Hello``, ``Status``, ``Need``, ``Ack``, ``DeviceState``, ``KeyDirectory``) are idempotent states: the newest wins.
"""

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


class _Body(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True, gc=False):
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


class OrderConfirmed(_Body, frozen=True):
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


class OrderRequested(_Body, frozen=True):
    """A guest asked for tickets past the device's allocation: no stock is claimed (epoch 0), the cloud answers.

    Answered with ``OrderConfirmed`` under the same ids or ``OrderRefused``. Name and contact travel in the private part.
    """

    order: str
    code: str
    payment: Payment
    tickets: tuple[TicketFact, ...]
    requested_at_ms: int


class OrderRefused(_Body, frozen=True):
    """The cloud cannot meet a request (any more); final."""

    order: str
    reason: Refusal


class RequestWithdrawn(_Body, frozen=True):
    """The guest took a request back; a confirmation that crossed it is cancelled by the usual rule."""

    order: str


class PaymentTaken(_Body, frozen=True):
    """Staff took money for an order; the order is paid once its payments reach its total."""

    order: str
    payment: str
    method: Method
    amount_minor: int
    currency: str
    staff: str
    paid: bool
    tickets: tuple[str, ...]


class CancelRequested(_Body, frozen=True):
    """A cancel waits for the host door to void the tickets; their stock stays sold."""

    order: str
    tickets: tuple[TicketFact, ...]


class TicketsVoided(_Body, frozen=True):
    """The host door will never admit these tickets of an order; only now may the issuer count them cancelled."""

    order: str
    tickets: tuple[str, ...]


class CancelRefused(_Body, frozen=True):
    """The host door had already admitted someone on this order; it stays valid."""

    order: str
    tickets: tuple[str, ...]


class OrderCancelled(_Body, frozen=True):
    """The issuing device counted the tickets as cancelled; ``stock`` are its totals afterwards."""

    order: str
    tickets: tuple[str, ...]
    stock: tuple[StockCount, ...]


class CheckedIn(_Body, frozen=True):
    """A scan happened at a door; recorded whatever the verdict was. ``after`` is the exit that a re-entry follows."""

    check_in: str
    verdict: Verdict
    reason: Reason | None
    ticket: str | None
    event_session: str | None
    staff: str
    at_ms: int
    after: str | None = None


class Exited(_Body, frozen=True):
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


class CheckInUndone(_Body, frozen=True):
    """Staff took a check-in back."""

    check_in: str
    ticket: str | None
    staff: str


class AllocationReturned(_Body, frozen=True):
    """A device gave stock back; it debited itself before it sent this."""

    stock: tuple[StockCount, ...]


class ReceiptSeen(_Body, frozen=True):
    """A door was shown a genuine receipt of a sale it had never heard of: whoever sold it may never tell itself."""

    receipt: str


class DeviceClosed(_Body, frozen=True):
    """The last word of a sealed device: it sells nothing more, and gave back all it had in ``stock``, the totals of its life."""

    stock: tuple[StockCount, ...]


class KeyPublished(_Body, frozen=True):
    """A device's public receipt key (32 raw bytes, hex); ``retires`` names the key it replaces."""

    kid: str
    public: str
    retires: str | None = None


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """So many tickets of one type, wanted by a waitlist entry."""

    ticket_type: str
    quantity: int


class WaitlistJoined(_Body, frozen=True):
    """Somebody waits at a device for tickets of one quota, all or none; ``number`` counts the entries of that device.

    Told again in a new life of the device; the entry keeps the place that the cloud gave it first.
    """

    entry: str
    quota: str
    number: int
    wishes: tuple[Wish, ...]
    joined_at_ms: int


class OfferMade(_Body, frozen=True):
    """A device holds tickets for a waitlist entry for some minutes; ``stock`` are its totals afterwards."""

    entry: str
    quota: str
    stock: tuple[StockCount, ...]


class OfferWithdrawn(_Body, frozen=True):
    """The device lost the stock behind an offer; the entry waits again, at its place."""

    entry: str
    quota: str


class WaitlistLeft(_Body, frozen=True):
    """An entry came to its end, for good: taken, lapsed, left by the guest, or closed with its session."""

    entry: str
    quota: str
    why: Literal["taken", "lapsed", "left", "closed"]
    stock: tuple[StockCount, ...]


class TicketsWithdrawn(_Body, frozen=True):
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


class OrderRebooked(_Body, frozen=True):
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


class RefundOwed(_Body, frozen=True):
    """``owed_minor`` in all is to be paid back for an order, at any desk; a later word replaces an earlier one."""

    order: str
    owed_minor: int
    currency: str
    why: str


class RefundPaid(_Body, frozen=True):
    """Staff paid money back for an order (``amount_minor`` is positive); a desk records it as a negative payment."""

    order: str
    payment: str
    method: Method
    amount_minor: int
    currency: str
    staff: str


class ErasePersonalData(_Body, frozen=True):
    """Please forget names and contacts: of ``order``, or of whoever's contact has this salted ``digest`` (hex sha256)."""

    erasure: str
    order: str = ""
    salt: str = ""
    digest: str = ""


class PersonalDataErased(_Body, frozen=True):
    """A device has forgotten what an erasure asked for; ``orders`` is how many of its orders that concerned."""

    erasure: str
    orders: int


class WaitlistEntrusted(_Body, frozen=True):
    """Please answer for this entry from now on: its device was sealed, or you began a new life without it.

    ``number`` is its place among your entries (negative: before all that joined with you). You tell of it as if it had joined.
    """

    entry: str
    quota: str
    number: int
    wishes: tuple[Wish, ...]
    joined_at_ms: int


class ReturnAllocation(_Body, frozen=True):
    """Please return stock until your ``returned`` total of this epoch reaches ``returned`` (or you have none free)."""

    quota: str
    epoch: int
    returned: int


# What a device that takes a venue over is told of what happened there before its time, by whose fact it was.
Retellable = (
    OrderConfirmed
    | PaymentTaken
    | CancelRequested
    | TicketsVoided
    | OrderCancelled
    | CheckedIn
    | Exited
    | CheckInUndone
)


class Retold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One fact of the past; ``origin`` is the device whose fact it was."""

    origin: str
    body: Retellable


class VenueRetold(_Body, frozen=True):
    """The cloud tells a replacement what it knows of its venue and its predecessor's orders: part ``part`` of ``parts``.
    ``answers_for`` are the sealed devices whose orders it looks after from now on.

    Names and contacts are missing in it, because the cloud keeps none.
    """

    part: int
    parts: int
    told: tuple[Retold, ...]
    answers_for: tuple[str, ...] = ()


Uplink = (
    OrderConfirmed
    | PaymentTaken
    | CancelRequested
    | TicketsVoided
    | CancelRefused
    | OrderCancelled
    | CheckedIn
    | Exited
    | CheckInUndone
    | AllocationReturned
    | KeyPublished
    | WaitlistJoined
    | OfferMade
    | OfferWithdrawn
    | WaitlistLeft
    | RefundPaid
    | OrderRequested
    | RequestWithdrawn
    | PersonalDataErased
    | ReceiptSeen
    | DeviceClosed
)
# The cloud forwards facts of other devices to those that need them, unchanged.
Downlink = (
    OrderConfirmed
    | PaymentTaken
    | CancelRequested
    | TicketsVoided
    | CancelRefused
    | OrderCancelled
    | CheckedIn
    | Exited
    | CheckInUndone
    | ReturnAllocation
    | WaitlistEntrusted
    | TicketsWithdrawn
    | OrderRebooked
    | RefundOwed
    | RefundPaid
    | OrderRequested
    | OrderRefused
    | RequestWithdrawn
    | ErasePersonalData
    | VenueRetold
)


class Private(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Personal data beside a message; the signed part holds only ``sha256(salt + name NUL contact)``."""

    salt: str
    name: str = ""
    contact: str = ""


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The signed part of an envelope.

    ``inc`` is the sender's incarnation, ``seq`` counts 1, 2, 3 ... within it without gaps. ``origin`` is the device whose
    fact this is (differs from ``sender`` when the cloud forwards it). ``follows`` is the ``codec.content_hash`` of the message
    before it, so that its signature vouches for that one too; empty for the first and where the sender does not say.
    """

    v: int
    org: str
    sender: str
    origin: str
    inc: str
    seq: int
    body: Uplink | Downlink
    wall_ms: int
    private_hash: str | None = None
    follows: str = ""


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What is published: the exact signed bytes of a ``Content``, its Ed25519 signature (hex) and the private part."""

    content: str
    kid: str
    sig: str
    private: Private | None = None


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Everything of incarnation ``inc`` up to and including ``upto`` is committed at the receiver.

    ``digest`` (``codec.digest``) is of the message with the number ``upto``, where the receiver knows it: a sender whose card
    went back in time uses numbers again, and must not take the ack of a message it forgot for that of another one.
    ``generation`` is the cloud's: what a cloud acknowledged that was lost since, its restored backup may not have.
    """

    inc: str
    upto: int
    digest: str = ""
    generation: int = 0


class QuotaNeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A device wants ``wanted`` more tickets of a quota; ``totals`` lets the cloud judge with current figures."""

    quota: str
    wanted: int
    stock: StockCount


Began = Literal["", "told", "went_back", "another_board"]


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """First word after every connect: who I am, which life, how far I got, what I count.

    ``generation`` is that of the cloud which spoke last, ``earlier`` are past lives with messages still to be told: a cloud
    that was restored from a backup may have heard of neither. ``untold`` are the last numbers of all lives with messages still
    to be told. ``began`` tells why this life began, if not with a new database.
    """

    device: str
    venue: str
    inc: str
    last_seq: int
    kid: str
    public: str
    stock: tuple[StockCount, ...]
    downlink: Ack
    sent_at_ms: int
    generation: int = 0
    earlier: tuple[str, ...] = ()
    began: Began = ""
    untold: tuple[Ack, ...] = ()


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Telemetry every few seconds: never decides anything, shown on the console."""

    device: str
    venue: str
    inc: str
    unsynced: int
    oldest_unsynced_ms: int
    stock: tuple[StockCount, ...]
    clock_trusted: bool
    hardware: dict[str, str]
    sent_at_ms: int


class HardwareState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A piece of hardware: ``state`` since ``since_ms`` (wall clock of the device), and why, in a sentence for a person."""

    name: str
    state: str
    reason: str
    since_ms: int


class HardwareReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How the hardware of a device is, retained for whoever wants to know; decides nothing.

    ``as_of_ms`` is when its desk last said so: it stands still while the desk is dead, however young ``sent_at_ms`` is.
    """

    device: str
    venue: str
    hardware: tuple[HardwareState, ...]
    as_of_ms: int
    sent_at_ms: int


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Asked before a hold is refused; idempotent through the totals it carries."""

    device: str
    inc: str
    needs: tuple[QuotaNeed, ...]


class InLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False, array_like=True):
    """One place in a quota's waitlist as a device is told it: its own entry by ``number``, others' with number 0.

    ``reachable`` is false while that entry's device is cut off; see ``protocol.waitlist`` for ``rounds`` and ``passed``.
    """

    number: int
    quantity: int
    rounds: int = 0
    passed: int = 0
    reachable: bool = True


class Granted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The cloud's two totals of a quota for one device, plus what it knows of the rest of the stock.

    ``confirmed`` is for a restored cloud to read; a device learns it with each answer, so that it never knows the count of one
    that did not arrive. ``elsewhere`` is pool plus the unsold stock of all other devices: zero means sold out everywhere as of
    ``as_of_ms``. ``line`` is the waitlist from its head, ``longer`` how many more stand behind.
    """

    quota: str
    epoch: int
    granted: int
    confirmed: int
    elsewhere: int
    limit: int
    line: tuple[InLine, ...] = ()
    longer: int = 0


class DeviceState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Retained per device: cumulative grants and acknowledgement; replaying an old one is a no-op.

    ``revision`` grows with each publication. ``stop`` tells a device whose database went back in time to start a new
    incarnation before it sells again; ``inc`` is the incarnation the grants are for. ``sealed`` tells it that the operator
    closed it for good. A state of an older ``generation`` is that of a cloud which was replaced by its backup; ``heard`` is
    the latest generation that a hello of this device named: until it is the present one, the device says hello again.
    """

    device: str
    inc: str
    revision: int
    upto: int
    grants: tuple[Granted, ...]
    door: bool
    stop: bool
    as_of_ms: int
    sealed: bool = False
    generation: int = 0
    heard: int | None = None


class DeviceKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A device, its venue, whether it is that venue's door, and one of its public keys (hex).

    A ``sealed`` device sells no more; what it signed stays good unless its key was ``revoked`` too. ``answered_by`` is the
    device that answers for its orders from then on.
    """

    device: str
    venue: str
    door: bool
    kid: str
    public: str
    revoked: bool = False
    sealed: bool = False
    answered_by: str = ""


class RevokedBadge(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A staff badge that opens nothing any more; ``badge`` says whose it was."""

    serial: str
    badge: str


class KeyDirectory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Retained for everyone: all devices and public keys, signed by the cloud.

    ``badge_keys`` are the public keys (hex) that signed staff badges, ``revoked_badges`` those that were lost.
    """

    revision: int
    keys: tuple[DeviceKey, ...]
    badge_keys: tuple[str, ...] = ()
    revoked_badges: tuple[RevokedBadge, ...] = ()
