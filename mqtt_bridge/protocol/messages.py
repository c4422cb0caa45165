"""Every message, as a frozen struct, and the envelope that the sequenced ones travel in.

Sequenced messages (``Uplink``, ``Downlink``; ``bodies`` has what they say) go through the mailboxes and are applied once, in order.
The rest (``states``: ``Hello``, ``Status``, ``Need``, ``Ack``, ``DeviceState``, ``KeyDirectory`` ...) are idempotent: the newest wins.
All of them are imported from here.
"""

from __future__ import annotations

import msgspec

from mqtt_bridge.protocol.bodies import (
    AllocationReturned,
    Body,
    CancelRefused,
    CancelRequested,
    Channel,
    CheckedIn,
    CheckInUndone,
    CodeNews,
    ContactCodeEntered,
    ContactCodeWanted,
    ContactLinkFollowed,
    ContactProven,
    ConversionCount,
    ConversionCounted,
    DeviceClosed,
    ErasePersonalData,
    Exited,
    ExitVerdict,
    KeyPublished,
    Method,
    OfferMade,
    OfferWithdrawn,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    OrderRebooked,
    OrderRefused,
    OrderRequested,
    OrderVerified,
    Payment,
    PaymentTaken,
    PersonalDataErased,
    Reason,
    ReceiptSeen,
    RefundOwed,
    RefundPaid,
    Refusal,
    RequestWithdrawn,
    ReturnAllocation,
    Sold,
    StockCount,
    Swap,
    TicketFact,
    TicketsVoided,
    TicketsWithdrawn,
    Verdict,
    VerificationMoved,
    Verify,
    WaitlistEntrusted,
    WaitlistJoined,
    WaitlistLeft,
    WaitsFor,
    Wish,
)
from mqtt_bridge.protocol.states import (
    Ack,
    Began,
    DeviceKey,
    DeviceState,
    Granted,
    HardwareReport,
    HardwareState,
    Hello,
    InLine,
    KeyDirectory,
    Need,
    QuotaNeed,
    RevokedBadge,
    Status,
)

__all__ = [
    "Ack",
    "AllocationReturned",
    "Began",
    "CancelRefused",
    "CancelRequested",
    "Channel",
    "CheckInUndone",
    "CheckedIn",
    "CodeNews",
    "ContactCodeEntered",
    "ContactCodeWanted",
    "ContactLinkFollowed",
    "ContactProven",
    "Content",
    "ConversionCount",
    "ConversionCounted",
    "DeviceClosed",
    "DeviceKey",
    "DeviceState",
    "Downlink",
    "Envelope",
    "ErasePersonalData",
    "ExitVerdict",
    "Exited",
    "Granted",
    "HardwareReport",
    "HardwareState",
    "Hello",
    "InLine",
    "KeyDirectory",
    "KeyPublished",
    "Method",
    "Need",
    "OfferMade",
    "OfferWithdrawn",
    "OrderCancelled",
    "OrderConfirmed",
    "OrderPending",
    "OrderRebooked",
    "OrderRefused",
    "OrderRequested",
    "OrderVerified",
    "Payment",
    "PaymentTaken",
    "PersonalDataErased",
    "Private",
    "QuotaNeed",
    "Reason",
    "ReceiptSeen",
    "RefundOwed",
    "RefundPaid",
    "Refusal",
    "RequestWithdrawn",
    "Retellable",
    "Retold",
    "ReturnAllocation",
    "RevokedBadge",
    "Sold",
    "Status",
    "StockCount",
    "Swap",
    "TicketFact",
    "TicketsVoided",
    "TicketsWithdrawn",
    "Uplink",
    "VenueRetold",
    "Verdict",
    "VerificationMoved",
    "Verify",
    "WaitlistEntrusted",
    "WaitlistJoined",
    "WaitlistLeft",
    "WaitsFor",
    "Wish",
]

# What a device that takes a venue over is told of what happened there before its time, by whose fact it was.
Retellable = (
    OrderConfirmed
    | OrderPending
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


class VenueRetold(Body, frozen=True):
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
    | ConversionCounted
    | OrderPending
    | OrderVerified
    | ContactCodeWanted
    | ContactCodeEntered
    | ContactLinkFollowed
    | ContactProven
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
    | OrderPending
    | OrderVerified
    | VerificationMoved
)


class Private(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Personal data beside a message; the signed part holds only a salted hash of it (``codec.private_hash``).

    ``member`` is the number under which a person says they are a member.
    """

    salt: str
    name: str = ""
    contact: str = ""
    member: str = ""


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
