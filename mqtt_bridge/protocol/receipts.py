"""The signed ticket: CWT claims (RFC 8392) in a COSE_Sign1 (RFC 9052) with Ed25519, as Base45 in a QR code.

It carries no personal data and stays within QR version 11 at error correction M, which phones and cheap scanners read from a
thermal print. ``MQ1:`` in front tells a scanner that it is ours.
"""

from __future__ import annotations

import hashlib
from base64 import b32decode, b32encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import cbor2
import msgspec

from mqtt_bridge.protocol import base45, ids
from mqtt_bridge.protocol.codec import verify
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer
from mqtt_bridge.protocol.messages import TicketFact

if TYPE_CHECKING:
    from mqtt_bridge.protocol.codec import Signer
    from mqtt_bridge.protocol.messages import DeviceKey

PREFIX = "MQ1:"
MAX_TEXT = 366  # alphanumeric capacity of QR version 11-M (ISO/IEC 18004, table 7)
COSE_SIGN1 = 18  # CBOR tag
ALG, KID, EDDSA = 1, 4, -8
INC_BYTES = 8

# An order that a device or the cloud knows by a signed receipt alone is named after its ticket, until its issuer tells.
RECEIPT_ONLY = "receipt-"

# CWT labels 1, 6, 7 are registered by IANA; the private ones start at -65537 there, but receipts are read by us alone and
# one-byte labels keep the code small.
ISSUER, ISSUED_AT, TICKET = 1, 6, 7
EVENT_SESSION, TICKET_TYPE, CODE, PRICE, CURRENCY, PAID, INC, SEQ, EPOCH, PENDING = range(-1, -11, -1)


class TicketClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a receipt says: ``issuer`` is a device, ``ticket`` an ``ids.secret``, price in minor units.

    ``inc`` is the first 8 bytes of sha256(incarnation) in hex, ``seq`` that of the message which reported the sale, so
    that a lost card's sales can be rebuilt. ``issued_at_s`` is seconds since the Unix epoch, None where the clock was untrusted.
    ``pending``: what it was sold on is not proven yet, so a door that knows nothing else lets nobody in on it.
    """

    issuer: str
    ticket: str
    event_session: str
    ticket_type: str
    code: str
    price_minor: int
    currency: str
    paid: bool
    inc: str
    seq: int
    epoch: int
    issued_at_s: int | None = None
    pending: bool = False


class Reading(NamedTuple):
    """A receipt that was understood but not yet believed; ``verify(key)`` raises if it should not be."""

    kid: str
    claims: TicketClaims
    verify: Callable[[DeviceKey | None], None]


def inc_hash(inc: str) -> str:
    """Return what a receipt says of an incarnation."""
    return hashlib.sha256(inc.encode()).digest()[:INC_BYTES].hex()


def fact_of(claims: TicketClaims, quota: str = "") -> TicketFact:
    """Return what a receipt says of its ticket; the quota is the catalogue's to know."""
    return TicketFact(
        ticket=claims.ticket,
        code=claims.code,
        ticket_type=claims.ticket_type,
        event_session=claims.event_session,
        quota=quota,
        epoch=claims.epoch,
        price_minor=claims.price_minor,
        currency=claims.currency,
    )


def order_known_by(ticket: str) -> str:
    """Return the name of the order of a ticket that is known by its receipt alone."""
    return RECEIPT_ONLY + ticket


def issue(claims: TicketClaims, signer: Signer) -> str:
    """Return the text of the QR code; raises ``ValueError`` if the names in it are too long for one."""
    protected = _canonical({ALG: EDDSA, KID: bytes.fromhex(signer.kid)})
    payload = _canonical(_to_map(claims))
    signature = signer.sign(_signed(protected, payload))
    text = PREFIX + base45.encode(_canonical(cbor2.CBORTag(COSE_SIGN1, [protected, {}, payload, signature])))
    if len(text) > MAX_TEXT:
        msg = f"a receipt of {len(text)} letters is over {MAX_TEXT}; shorten the device name {claims.issuer!r}"
        raise ValueError(msg)
    return text


def read(text: str) -> Reading:
    """Return what the receipt claims; raises ``ProtocolError`` if it is none of ours. Nothing is verified yet."""
    if not text.startswith(PREFIX):
        msg = f"a receipt starts with {PREFIX}"
        raise ProtocolError(msg)
    if len(text) > MAX_TEXT:
        msg = f"a receipt has at most {MAX_TEXT} letters, this has {len(text)}"
        raise ProtocolError(msg)
    raw = base45.decode(text.removeprefix(PREFIX))
    protected, payload, signature = _parts(raw)
    header = _load(protected)
    kid = header.get(KID) if _is_map(header) else None
    if not isinstance(kid, bytes) or len(kid) != 8 or header != {ALG: EDDSA, KID: kid} or type(header[ALG]) is not int:
        msg = "a receipt is signed with EdDSA and names its key, nothing else"
        raise ProtocolError(msg)
    claims = _from_map(_load(payload))

    def check(key: DeviceKey | None) -> None:
        _check(kid.hex(), claims, _signed(protected, payload), signature, key)

    return Reading(kid.hex(), claims, check)


def _check(kid: str, claims: TicketClaims, signed: bytes, signature: bytes, key: DeviceKey | None) -> None:
    """Raise ``UnknownIssuer`` without a key, ``BadSignature`` if key, issuer and signature do not belong together."""
    if key is None:
        msg = f"no key {kid} is known; it may still be genuine"
        raise UnknownIssuer(msg)
    if key.kid != kid or key.device != claims.issuer or key.revoked:
        msg = f"key {kid} may not sign for {claims.issuer}"
        raise BadSignature(msg)
    verify(key.public, signature, signed)


def _parts(raw: bytes) -> tuple[bytes, bytes, bytes]:
    tagged = _load(raw)
    parts = tagged.value if isinstance(tagged, cbor2.CBORTag) and tagged.tag == COSE_SIGN1 else None
    if not isinstance(parts, (list, tuple)) or len(parts) != 4 or not _is_map(parts[1]) or parts[1]:
        msg = "a receipt is a COSE_Sign1 without unprotected headers"
        raise ProtocolError(msg)
    protected, _, payload, signature = parts
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        msg = "headers, claims and signature of a receipt are byte strings"
        raise ProtocolError(msg)
    return protected, payload, signature


def _signed(protected: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure of RFC 9052, section 4.4."""
    return _canonical(["Signature1", protected, b"", payload])


def _canonical(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def _load(data: bytes) -> Any:
    try:
        value = cbor2.loads(data, max_depth=4)
        shortest = _canonical(value) == data  # also refuses trailing bytes and repeated labels
    except Exception as error:  # whatever a decoder of foreign bytes may raise, to callers it is one thing
        msg = "not CBOR"
        raise ProtocolError(msg) from error
    if not shortest:
        msg = "a receipt is written in CBOR's shortest form"
        raise ProtocolError(msg)
    return value


def _to_map(claims: TicketClaims) -> dict[int, Any]:
    content: dict[int, Any] = {
        ISSUER: claims.issuer,
        TICKET: _from_base32(claims.ticket),
        EVENT_SESSION: _packed(claims.event_session, "s"),
        TICKET_TYPE: _packed(claims.ticket_type, "t"),
        CODE: ids.code_bytes(claims.code),
        PRICE: claims.price_minor,
        CURRENCY: claims.currency,
        PAID: claims.paid,
        INC: bytes.fromhex(claims.inc),
        SEQ: claims.seq,
        EPOCH: claims.epoch,
    }
    if claims.issued_at_s is not None:
        content[ISSUED_AT] = claims.issued_at_s
    if claims.pending:
        content[PENDING] = True
    return content


_SHAPE: dict[int, type | tuple[type, ...]] = {
    ISSUER: str,
    TICKET: bytes,
    EVENT_SESSION: (bytes, str),
    TICKET_TYPE: (bytes, str),
    CODE: bytes,
    PRICE: int,
    CURRENCY: str,
    PAID: bool,
    INC: bytes,
    SEQ: int,
    EPOCH: int,
}


def _from_map(content: Any) -> TicketClaims:
    if not _is_map(content) or any(type(label) is not int for label in content):
        msg = "a receipt's claims are a map of numbered labels"
        raise ProtocolError(msg)
    issued_at_s = content.get(ISSUED_AT)
    shape = _SHAPE if issued_at_s is None else {**_SHAPE, ISSUED_AT: int}
    if PENDING in content:
        shape = {**shape, PENDING: bool}
    wrong = content.keys() ^ shape.keys() or {label for label, kind in shape.items() if not _fits(content[label], kind)}
    sizes = {TICKET: ids.SECRET_BYTES, CODE: 5, INC: INC_BYTES}
    if not wrong:
        wrong = {label for label, size in sizes.items() if len(content[label]) != size}
    if not wrong and content.get(PENDING) is False:
        wrong = {PENDING}  # what is not pending does not speak of it
    if wrong:
        msg = f"claims {sorted(wrong)} of a receipt are missing, unknown or of another type"
        raise ProtocolError(msg)
    return TicketClaims(
        issuer=content[ISSUER],
        ticket=b32encode(content[TICKET]).decode().rstrip("=").lower(),
        event_session=_unpacked(content[EVENT_SESSION], "s"),
        ticket_type=_unpacked(content[TICKET_TYPE], "t"),
        code=ids.code(content[CODE]),
        price_minor=content[PRICE],
        currency=content[CURRENCY],
        paid=content[PAID],
        inc=content[INC].hex(),
        seq=content[SEQ],
        epoch=content[EPOCH],
        issued_at_s=issued_at_s,
        pending=PENDING in content,
    )


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def _fits(value: Any, kind: type | tuple[type, ...]) -> bool:
    if kind is int:
        return type(value) is int and 0 <= value < 2**63
    return isinstance(value, kind)


def _from_base32(text: str) -> bytes:
    return b32decode(text.upper() + "=" * (-len(text) % 8))


def _packed(name: str, kind: str) -> bytes | str:
    """Return the 10 bytes of an id made by ``ids.derived``, any other id as it is."""
    try:
        packed = _from_base32(name.removeprefix(f"{kind}_"))
    except ValueError:
        return name
    return packed if _unpacked(packed, kind) == name else name


def _unpacked(value: bytes | str, kind: str) -> str:
    return value if isinstance(value, str) else f"{kind}_{b32encode(value).decode().lower()}"
