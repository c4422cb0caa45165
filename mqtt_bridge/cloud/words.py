"""Words to the verifier as rows, for whoever writes rows by hand; ``facts.say`` says them within a working set."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.records import Word


def say(db: Connection, order: str, word: Word, wall_ms: int, detail: str = "") -> None:
    """Leave a word about an order; the verifier takes it at its next look."""
    said = {"order_id": order, "word": word, "detail": detail, "private": None, "at_ms": wall_ms}
    db.execute(sa.insert(t.verification_word).values(**said))
