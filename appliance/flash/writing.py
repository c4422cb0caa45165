"""The work on an open card, in the order that makes a power cut harmless.

The first block, which holds the table of partitions, says "unfinished" until everything else was read back and is right; a
card that was cut off does not start, and tells the next run how far it may be trusted: not at all, so it is compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from appliance.flash.bmap import BlockMap
from appliance.flash.card import Card
from appliance.flash.errors import FlashFailed
from appliance.flash.image import CHUNK_BYTES, parts

Report = Callable[[int], None]
"""Takes the bytes that are done so far."""

_SAYS = b"This card is not finished. Flash it again.\n"


def begun(card: Card, bmap: BlockMap) -> bool:
    """Whether an earlier run began with this very image on this card."""
    mark = _mark(bmap)
    return card.read(0, len(mark)) == mark


def write(card: Card, image: Path, bmap: BlockMap, report: Report, *, compare: bool) -> bytes:
    """Write all but the first block, which is returned; with ``compare`` only what is not on the card already."""
    card.resize(bmap.image_size)
    if not compare:
        card.write(0, _mark(bmap))
        card.settle()
    first, done = b"", 0
    for at, data in parts(image, bmap):
        rest, place = data, at
        if at == 0:
            first, rest, place = data[: bmap.block_size], data[bmap.block_size :], bmap.block_size
        if not (compare and _has(card, at, _marked(bmap, at, data))):
            card.write(place, rest)
        done += len(data)
        report(done)
    card.settle()
    return first


def verify(card: Card, bmap: BlockMap, first: bytes, report: Report) -> None:
    """Read everything back and compare it with the map; raises ``FlashFailed`` at the first run that differs."""
    done, mark = 0, _mark(bmap)
    for run in bmap.runs:
        digest = hashlib.sha256()
        for at in range(run.start, run.end, CHUNK_BYTES):
            data = card.read(at, min(CHUNK_BYTES, run.end - at))
            if at == 0 and data[: len(first)] == mark:
                data = first + data[len(first) :]
            digest.update(data)
            done += len(data)
            report(done)
        if digest.hexdigest() != run.sha256:
            raise FlashFailed(
                f"{card.path} does not keep what was written to it (bytes {run.start} to {run.end}): "
                "it is worn or a fake. Take another card"
            )


def finish(card: Card, first: bytes) -> None:
    """Put the first block where it belongs: from now on the card starts."""
    card.write(0, first)
    card.settle()
    if card.read(0, len(first)) != first:
        raise FlashFailed(f"{card.path} does not keep its first block: it is worn or a fake. Take another card")


def _mark(bmap: BlockMap) -> bytes:
    return (_SAYS + bmap.sha256.encode() + b"\n").ljust(bmap.block_size, b"\0")


def _marked(bmap: BlockMap, at: int, data: bytes) -> bytes:
    """What the card has of ``data`` while it is unfinished."""
    return data if at else _mark(bmap) + data[bmap.block_size :]


def _has(card: Card, at: int, data: bytes) -> bool:
    return card.read(at, len(data)) == data
