"""The catalogue and its pictures."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import asset, catalogue
from mqtt_bridge.protocol.catalogue import EMPTY, Catalogue
from mqtt_bridge.protocol.codec import decode, encode


class Cache:
    """The decoded catalogue of one process; a version's document never changes, so it is decoded once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._catalogue = EMPTY

    def get(self, db: Connection, version: int) -> Catalogue:
        """Return the catalogue of ``version``, the one the caller's transaction sees."""
        held = self._catalogue
        if held.version == version:
            return held
        document = db.execute(select(catalogue.c.document).where(catalogue.c.id == 1)).scalar()
        fresh = EMPTY if document is None else decode(document, Catalogue)
        with self._lock:
            self._catalogue = fresh
        return fresh


def save_catalogue(db: Connection, document: Catalogue) -> None:
    """Replace the catalogue."""
    values = {"version": document.version, "document": encode(document)}
    db.execute(insert(catalogue).values(id=1, **values).on_conflict_do_update(index_elements=["id"], set_=values))


def save_asset(db: Connection, sha256: str, media_type: str, body: bytes) -> None:
    """Keep a picture; the same one twice is kept once."""
    row = insert(asset).values(sha256=sha256, media_type=media_type, body=body)
    db.execute(row.on_conflict_do_nothing())


def find_asset(db: Connection, sha256: str) -> tuple[str, bytes] | None:
    """Return (media type, bytes) of a picture."""
    row = db.execute(select(asset.c.media_type, asset.c.body).where(asset.c.sha256 == sha256)).first()
    return None if row is None else (row.media_type, row.body)


def known_assets(db: Connection) -> set[str]:
    """Return the hashes of all pictures here."""
    return set(db.execute(select(asset.c.sha256)).scalars())


def drop_assets(db: Connection, hashes: set[str]) -> None:
    """Remove pictures."""
    if hashes:
        db.execute(asset.delete().where(asset.c.sha256.in_(hashes)))
