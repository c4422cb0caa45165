"""Several envelopes in one publication: each costs broker and client library as much as a full one, and a backlog has thousands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mqtt_bridge.mailbox.rows import Outgoing

# Smaller than any broker's limit on a packet, and short enough for a thin link to bring it over between two keepalives.
LARGEST_BYTES = 96 * 1024
MOST_ENVELOPES = 64


def parcels(rows: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Group rows, in order, into publications; a row that is too large goes alone."""
    parcel: list[Outgoing] = []
    size = 0
    for row in rows:
        if parcel and (len(parcel) == MOST_ENVELOPES or size + len(row.envelope) > LARGEST_BYTES):
            yield parcel
            parcel, size = [], 0
        parcel.append(row)
        size += len(row.envelope)
    if parcel:
        yield parcel


def packed(parcel: list[Outgoing]) -> tuple[str, bytes]:
    """Return the topic's leaf and the payload: ``msg`` with one envelope, ``batch`` with a JSON list of them."""
    if len(parcel) == 1:
        return "msg", parcel[0].envelope
    return "batch", b"[" + b",".join(row.envelope for row in parcel) + b"]"
