"""Experiments on how an event is shown: who sees which variant, and until when. Nothing is stored on a phone for it.

A phone falls into one of ``BUCKETS`` by a name of its own (what nginx does with its address, or ``bucket_of``), and a variant owns
every n-th bucket. Six can be shared fairly by two or three variants, and a cached page is kept in so many copies at most.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

import msgspec

from mqtt_bridge.protocol.catalogue import Event, Experiment, Variant

BUCKETS = 6
MOST_VARIANTS = 3
Stage = Literal["seen", "held", "confirmed", "admitted"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""How far a phone came with an event; whoever reached one counts in all before it."""


def bucket_of(name: str) -> int:
    """Return the bucket of whoever has this name, the same on every device: 0 to ``BUCKETS`` - 1."""
    return int.from_bytes(hashlib.sha256(b"bucket\0" + name.encode()).digest()[:8], "big") % BUCKETS


def bucket_from(text: str) -> int | None:
    """Return the bucket that a proxy chose, None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) == 1 and int(text) < BUCKETS else None


def variant_for(experiment: Experiment, bucket: int) -> Variant:
    """Return what somebody of this bucket is shown."""
    return experiment.variants[bucket % len(experiment.variants)]


def is_running(experiment: Experiment, wall_ms: int, *, trusted: bool) -> bool:
    """Return whether people are still shown different things; where the clock is unknown only the catalogue can end it."""
    return not trusted or experiment.starts_at_ms <= wall_ms < experiment.until_ms


def dressed(event: Event, variant: Variant) -> Event:
    """Return the event as this variant shows it; the rest stays as it is."""
    changes = {
        name: value
        for name in ("title", "summary", "image", "image_alt", "image_tiny")
        if (value := getattr(variant, name)) is not None
    }
    if "image" in changes:
        # The smaller copy is of the picture that is not shown.
        changes["image_small"] = None
    return msgspec.structs.replace(event, **changes) if changes else event
