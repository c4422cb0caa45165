"""What a scanner is told of the codes it will see, so that it can find out that it types for another keyboard."""

from __future__ import annotations

from drivers.scanner.api import Scanner, TakesHints
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.errors import ProtocolError


def told_our_codes(scanner: Scanner) -> Scanner:
    """The same scanner, which knows now what a receipt looks like if it wants to."""
    if isinstance(scanner, TakesHints):
        scanner.expect(is_receipt)
    return scanner


def is_receipt(text: str) -> bool:
    """Whether a text is built like a receipt of ours, of whatever issuer.

    Its structure tells more than its letters: a receipt typed as Z for Y is made of the same letters and is no CBOR any more.
    """
    try:
        receipts.read(text)
    except ProtocolError:
        return False
    return True
