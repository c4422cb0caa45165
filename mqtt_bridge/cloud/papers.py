"""Print templates that the operator changed: laid over the catalogue file, and sent to every device with the catalogue.

A change holds against every file that says of that kind what the file said before; a file that says something new wins. Templates are
texts here: who writes one checks it, and a device that cannot use one prints its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.catalogue import current_catalogue, store_version
from mqtt_bridge.cloud.directory import audit, lock
from mqtt_bridge.cloud.overrides import PaperChange, with_template
from mqtt_bridge.database import Database


def set_template(database: Database, kind: str, text: str, who: str, wall_ms: int) -> bool:
    """Make ``text`` the template of a kind of paper everywhere; an empty text is the product's own. Returns whether it changed."""

    def run(db: Connection) -> bool:
        lock(db)
        catalogue = current_catalogue(db)
        templates = dict(catalogue.paper.templates)
        if templates.get(kind, "") == text:
            return False
        known = paper_changes(db).get(kind)
        filed = known.filed if known is not None else templates.get(kind, "")
        db.execute(sa.delete(t.paper_change).where(t.paper_change.c.kind == kind))
        if text != filed:
            row = {"kind": kind, "text": text, "filed": filed, "changed_at_ms": wall_ms, "changed_by": who}
            db.execute(sa.insert(t.paper_change).values(row))
        store_version(db, with_template(catalogue, kind, text), wall_ms)
        audit(db, wall_ms, who, "paper changed", kind, "as in the file" if text == filed else "")
        return True

    return database.run(run)


def paper_changes(db: Connection) -> dict[str, PaperChange]:
    """Return the operator's changes by kind."""
    return {row.kind: PaperChange(*row) for row in db.execute(sa.select(t.paper_change))}
