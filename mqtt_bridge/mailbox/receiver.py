"""The inbox: apply each message once and in order, keep early ones in rows, say how far we got."""

from __future__ import annotations

from collections.abc import Callable

from mqtt_bridge.mailbox.machine import Place, place
from mqtt_bridge.mailbox.rows import Mail
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import Ack, Content, Private

MAX_ENVELOPE_BYTES = 256 * 1024

Open = Callable[[bytes], tuple[Content, Private | None]]
Apply = Callable[[Content, Private | None], None]


def receive(mail: Mail, peer: str, envelope: bytes, open: Open, apply: Apply, wall_ms: int) -> Ack:
    """Apply a message and the early ones that now follow; return what to acknowledge after COMMIT.

    ``open`` decodes and verifies an envelope and raises ``ProtocolError``, ``apply`` changes the caller's rows. Raises ``ProtocolError``
    with nothing changed if the envelope cannot be opened or is not from ``peer``; whatever ``apply`` raises passes through, and
    the caller rolls back: the sender repeats the message.
    """
    content, private = _opened(peer, envelope, open)
    upto = mail.lock_stream(peer, content.inc, wall_ms)
    where = place(content.seq, upto)
    if where is Place.NEXT:
        apply(content, private)
        upto = content.seq
    elif where is Place.EARLY:
        mail.keep_early(peer, content.inc, content.seq, envelope)
    ack = Ack(content.inc, _drain(mail, peer, content.inc, upto, open, apply))
    mail.advance(peer, ack, wall_ms)
    return ack


def _opened(peer: str, envelope: bytes, open: Open) -> tuple[Content, Private | None]:
    if len(envelope) > MAX_ENVELOPE_BYTES:
        msg = f"an envelope of {len(envelope)} bytes is over {MAX_ENVELOPE_BYTES}"
        raise ProtocolError(msg)
    content, private = open(envelope)
    if content.sender != peer:
        msg = f"{peer} delivered a message signed by {content.sender}"
        raise ProtocolError(msg)
    if content.seq < 1:
        msg = f"messages are numbered from 1, this is {content.seq}"
        raise ProtocolError(msg)
    return content, private


def _drain(mail: Mail, peer: str, inc: str, upto: int, open: Open, apply: Apply) -> int:
    """Apply what was early and now follows; return the highest number applied.

    One that fails is forgotten instead of undoing those before it: it was not acknowledged, comes again, and fails in the open.
    """
    while (envelope := mail.early(peer, inc, upto + 1)) is not None:
        try:
            with mail.step():
                apply(*_opened(peer, envelope, open))
        except Exception:  # noqa: BLE001  not swallowed: the sender repeats it and then it is the caller's
            mail.forget_early(peer, inc, upto + 1)
            break
        upto += 1
    mail.forget_early(peer, inc, upto)
    return upto
