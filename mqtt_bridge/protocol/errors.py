"""What can be wrong with something that came over the wire."""

from __future__ import annotations


class ProtocolError(Exception):
    """The other side sent something this protocol version does not allow."""


class BadSignature(ProtocolError):
    """The signature does not belong to this content and key."""


class UnknownIssuer(ProtocolError):
    """No public key is known for the key id; the content may still be genuine."""
