"""Judging a peer's certificate without a clock: nothing is too early, and what ended before a moment that is past for certain is over."""

from __future__ import annotations

import ssl

from cryptography import x509

# openssl/x509_vfy.h; Python has no name for it.
_NO_CHECK_TIME = 0x200000


def without_clock(context: ssl.SSLContext) -> None:
    """Let ``context`` judge everything but times; ask ``is_over`` after the handshake."""
    context.verify_flags |= _NO_CHECK_TIME


def is_over(sock: object, earliest_ms: int) -> bool:
    """Whether the certificate at the other end of a TLS socket ended before the earliest that it can be now (ms)."""
    der = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    return der is None or x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp() * 1000 <= earliest_ms
