"""The outbox: number and sign messages, and tell in a new life what an old one left."""

from __future__ import annotations

from mqtt_bridge.mailbox.rows import Mail, Outgoing
from mqtt_bridge.protocol.codec import (
    VERSION,
    Signer,
    content_hash,
    decode,
    digest,
    encode,
    private_hash,
    seal_envelope,
)
from mqtt_bridge.protocol.messages import Ack, Content, Downlink, Envelope, Private, Uplink


def enqueue(
    mail: Mail,
    peer: str,
    inc: str,
    body: Uplink | Downlink,
    *,
    signer: Signer,
    org: str,
    sender: str,
    origin: str,
    wall_ms: int,
    private: Private | None = None,
) -> int:
    """Put a message into the outbox and return its number: 1, 2, 3 ... without gaps within (peer, inc)."""
    names = {"org": org, "sender": sender, "origin": origin}
    seq = mail.next_seq(peer, inc)
    before = mail.last_envelope(peer, inc)
    follows = "" if before is None else hash_of(before)
    row = numbered(inc, seq, body, signer=signer, wall_ms=wall_ms, private=private, follows=follows, **names)
    mail.put(peer, row)
    return seq


def hash_of(envelope: bytes) -> str:
    """Return the ``content_hash`` of an encoded envelope's signed part."""
    return content_hash(decode(envelope, Envelope).content.encode())


def numbered(
    inc: str,
    seq: int,
    body: Uplink | Downlink,
    *,
    signer: Signer,
    org: str,
    sender: str,
    origin: str,
    wall_ms: int,
    private: Private | None = None,
    follows: str = "",
) -> Outgoing:
    """Return the signed row of a message under its number; ``follows`` is the hash of the message before it."""
    content = Content(
        v=VERSION,
        org=org,
        sender=sender,
        origin=origin,
        inc=inc,
        seq=seq,
        body=body,
        wall_ms=wall_ms,
        private_hash=None if private is None else private_hash(private),
        follows=follows,
    )
    return Outgoing(inc, seq, type(body).__name__, encode(seal_envelope(content, signer, private)), wall_ms)


def settle(mail: Mail, peer: str, ack: Ack, wall_ms: int) -> bool:
    """Acknowledge, unless the receiver has another message under this number: then return False, changing nothing."""
    if ack.digest and ack.upto > mail.last_seq(peer, ack.inc):
        return False
    for row in mail.unacked(peer, ack.inc, ack.upto - 1, 1) if ack.digest else ():
        if row.seq == ack.upto and digest(decode(row.envelope, Envelope).content) != ack.digest:
            return False
    mail.acknowledge(peer, ack, wall_ms)
    return True


def carry_over(mail: Mail, peer: str, old_inc: str, new_inc: str, *, signer: Signer, wall_ms: int) -> int:
    """Put what ``old_inc`` left unacked into the outbox again as ``new_inc``, in order, and return how many that is.

    For a device that begins a new incarnation: under the old one, numbers that an earlier copy of its database used too would
    count as delivered. The receiver may get a fact twice this way; facts carry their own ids and totals merge by maximum.
    """
    left = mail.unacked(peer, old_inc)
    for row in left:
        envelope = decode(row.envelope, Envelope)
        told = decode(envelope.content, Content)
        names = {"org": told.org, "sender": told.sender, "origin": told.origin}
        enqueue(mail, peer, new_inc, told.body, signer=signer, wall_ms=told.wall_ms, private=envelope.private, **names)
    mail.acknowledge(peer, Ack(old_inc, mail.last_seq(peer, old_inc)), wall_ms)
    return len(left)


def start_over(mail: Mail, peer: str, has: Ack) -> int:
    """Send again all that is kept and not in ``has``, of every incarnation: the peer was restored from a backup.

    Returns how many messages that is. What the peer did have of other incarnations it recognises by its number.
    """
    return sum(mail.rewind(peer, Ack(inc, has.upto if inc == has.inc else 0)) for inc in mail.incarnations(peer))
