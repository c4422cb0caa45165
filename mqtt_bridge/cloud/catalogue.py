"""Import what is sold: limits go up at once, and down only as far as known sales and returning stock allow."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.allocation import stepped_limit
from mqtt_bridge.cloud.books import Book, all_books
from mqtt_bridge.cloud.closed_epochs import net
from mqtt_bridge.cloud.directory import audit, lock
from mqtt_bridge.cloud.overrides import PaperChange, laid_over, still_holds, with_template
from mqtt_bridge.cloud.records import Device, SessionChange
from mqtt_bridge.cloud.records import Quota as QuotaRow
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.catalogue import EMPTY, Catalogue, Event, EventSession, Experiment, Quota
from mqtt_bridge.protocol.codec import decode, encode

VERSIONS_PER_GENERATION = 1_000_000


class CatalogueRefused(Exception):
    """The catalogue contradicts what was sold; ``reasons`` are all of them, each with its figures. Nothing changed."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


def apply_catalogue(
    database: Database, catalogue: Catalogue, assets: Mapping[str, tuple[str, bytes]], wall_ms: int
) -> list[str]:
    """Make ``catalogue`` the current one and return what changed, in words; nothing when it already is.

    ``assets`` maps sha256 to (media type, bytes) of the images it names. The version is given here. Raises
    ``CatalogueRefused`` with every reason.
    """

    def run(db: Connection) -> list[str]:
        return _Import(db, catalogue, wall_ms).run(assets)

    return database.run(run)


def _generation(db: Connection) -> int:
    return int(db.execute(sa.select(t.cloud.c.generation)).scalar_one())


def current_catalogue(db: Connection) -> Catalogue:
    """Return the catalogue imported last, an empty one of version 0 before that."""
    newest = sa.select(t.catalogue.c.document).order_by(t.catalogue.c.version.desc()).limit(1)
    document = db.execute(newest).scalar()
    return decode(document, Catalogue) if document is not None else EMPTY


def picture(db: Connection, sha256: str) -> bytes | None:
    """Return a picture that a catalogue names."""
    return db.execute(sa.select(t.asset.c.body).where(t.asset.c.sha256 == sha256)).scalar()


class _Import:
    """One import in one transaction."""

    def __init__(self, db: Connection, catalogue: Catalogue, wall_ms: int) -> None:
        self.db = db
        self.wall_ms = wall_ms
        lock(db)
        self.work = Work(SqlRows(db))
        self.old = current_catalogue(db)
        changes = self.work.of(SessionChange).fetch_all()
        catalogue = _with_papers(db, msgspec.structs.replace(catalogue, version=self.old.version))
        self.new = laid_over(catalogue, changes)
        # Whoever plans a quota has its row: limits change when nobody does.
        quotas = sorted(db.execute(sa.select(t.quota.c.id)).scalars())
        self.work.of(QuotaRow).lock("id", quotas, Lock.ALONE)
        self.books = {each.id: each for each in all_books(self.work)}
        devices = {each.name: each for each in self.work.of(Device).fetch_all()}
        for book in self.books.values():
            net(book, devices)
        self.work.write()
        self.changes: list[str] = []
        self.reasons: list[str] = []

    def run(self, assets: Mapping[str, tuple[str, bytes]]) -> list[str]:
        if self.new == self.old and self.old is not EMPTY:
            self._store_assets(assets)
            return []
        self._compare()
        self._check_types()
        self._check_experiments()
        for quota_id, (event, at, quota) in self.new.quota.items():
            self._quota(event, at, quota, self.books.get(quota_id))
        for quota_id in self.books.keys() - self.new.quota.keys():
            self._retire(self.books[quota_id])
        if self.reasons:
            raise CatalogueRefused(self.reasons)
        self._store_assets(assets)
        self._store()
        return self.changes or ["texts or times changed"]

    def _compare(self) -> None:
        """Say in words what is new, gone or different."""
        self._compare_named("venue", self.old.venue, self.new.venue)
        self._compare_named("event", self.old.event, self.new.event)
        self._compare_named(
            "session",
            {_session_name(*pair): pair for pair in self.old.event_session.values()},
            {_session_name(*pair): pair for pair in self.new.event_session.values()},
        )
        if self.old.limits != self.new.limits:
            self.changes.append("limits changed")
        if self.old.paper != self.new.paper:
            self.changes.append("print templates changed")
        self._compare_named("experiment", _by_key(self.old), _by_key(self.new))
        if self.old.staff != self.new.staff:
            self.changes.append(f"staff: {len(self.new.staff)} people may sign in")

    def _compare_named(self, what: str, old: Mapping[str, object], new: Mapping[str, object]) -> None:
        self.changes += [f"{what} {name!r} added" for name in new.keys() - old.keys()]
        self.changes += [f"{what} {name!r} removed" for name in old.keys() - new.keys()]
        self.changes += [f"{what} {name!r} changed" for name in new.keys() & old.keys() if new[name] != old[name]]
        self.changes.sort()

    def _check_types(self) -> None:
        """What a sold ticket points at may change its price and times, not its quota or its venue."""
        sold = self._sold_by("ticket_type")
        for type_id, (event, at, kind) in self.old.ticket_type.items():
            count = sold.get(type_id, 0)
            now = self.new.ticket_type.get(type_id)
            name = f"{_session_name(event, at)}: ticket type {kind.name!r}"
            if count and now is None:
                self.reasons.append(f"{name} has {count} sold tickets and cannot be removed")
            elif count and now is not None and now.kind.quota != kind.quota:
                self.reasons.append(f"{name} has {count} sold tickets and cannot draw from another quota")
        sold = self._sold_by("event_session")
        for session_id, (event, at) in self.old.event_session.items():
            venue = self.new.venue_of(session_id)
            if sold.get(session_id) and venue is not None and venue != at.venue:
                self.reasons.append(
                    f"{_session_name(event, at)} has {sold[session_id]} sold tickets, whose door is at {at.venue!r}; "
                    f"it cannot move to {venue!r} by this file; `marquee session move` takes its tickets along"
                )

    def _check_experiments(self) -> None:
        """A question is not changed while its answer is coming in; it may be given up."""
        now = _by_key(self.new)
        for key, each in _by_key(self.old).items():
            if key in now and now[key] != each and each.starts_at_ms <= self.wall_ms:
                self.reasons.append(
                    f"experiment {key!r} has begun and stays as it was registered; remove it to give it up, "
                    "or write the new question under another key"
                )

    def _sold_by(self, column: str) -> dict[str, int]:
        by = t.ticket.c[column]
        valid = sa.select(by, sa.func.count()).where(t.ticket.c.state != "cancelled").group_by(by)
        return {row[0]: row[1] for row in self.db.execute(valid)}

    def _quota(self, event: Event, at: EventSession, quota: Quota, book: Book | None) -> None:
        name = f"{_session_name(event, at)}: quota {quota.name!r}"
        if book is None:
            self.changes.append(f"{name} of {quota.limit} added")
            row = {"id": quota.id, "event_session": at.id, "name": quota.name, "limit": quota.limit}
            self.db.execute(sa.insert(t.quota).values(**row, extra=quota.extra))
            return
        # What an operator bought by overbooking, or by releasing stock in doubt, stays on top of what the file allows.
        known = self.old.quota.get(quota.id)
        bought = 0 if known is None else max(0, book.quota.extra - known.quota.extra)
        quota = msgspec.structs.replace(quota, extra=quota.extra + bought)
        aimed = book.quota.limit if book.quota.target is None else book.quota.target
        if known is not None and known.quota.limit == quota.limit != aimed and not book.quota.retired:
            # The file says what it said before; the limit that an operator set since is the later word.
            self.changes.append(f"{name}: limit {aimed} stays as set on the console, the file still says {quota.limit}")
            quota = msgspec.structs.replace(quota, limit=aimed)
        if (quota.limit, quota.extra, quota.name) == (
            aimed,
            book.quota.extra,
            book.quota.name,
        ) and not book.quota.retired:
            return
        if quota.limit + quota.extra < book.known_sales:
            self.reasons.append(
                f"{name}: {book.known_sales} tickets are known to be sold, so it cannot be lowered to "
                f"{quota.limit + quota.extra}" + (f" ({quota.limit} and {quota.extra} extra)" if quota.extra else "")
            )
            return
        limit = stepped_limit(quota.limit, book.committed, quota.extra)
        target = quota.limit if limit > quota.limit else None
        self.changes.append(self._limit_words(name, aimed, quota.limit, limit))
        self._update(book, limit=limit, extra=quota.extra, target=target, name=quota.name, retired=False)

    @staticmethod
    def _limit_words(name: str, old: int, new: int, now: int) -> str:
        words = f"{name}: limit {old} -> {new}"
        return words + (f", now {now} until {now - new} granted tickets come back" if now > new else "")

    def _retire(self, book: Book) -> None:
        if book.quota.retired:
            return
        if book.known_sales:
            self.reasons.append(
                f"quota {book.quota.name!r} has {book.known_sales} sold tickets and cannot be removed; "
                "cancel its session instead (`marquee session cancel`)"
            )
            return
        limit = book.committed
        self.changes.append(f"quota {book.quota.name!r} removed")
        self._update(book, limit=limit, extra=0, released=0, target=0 if limit else None, retired=True)

    def _update(self, book: Book, **values: object) -> None:
        self.db.execute(sa.update(t.quota).where(t.quota.c.id == book.id).values(**values))

    def _store_assets(self, assets: Mapping[str, tuple[str, bytes]]) -> None:
        known = set(self.db.execute(sa.select(t.asset.c.sha256)).scalars())
        for sha256 in sorted(assets.keys() - known):
            media_type, body = assets[sha256]
            self.db.execute(sa.insert(t.asset).values(sha256=sha256, media_type=media_type, body=body))

    def _store(self) -> None:
        version = store_version(self.db, self.new, self.wall_ms)
        audit(self.db, self.wall_ms, "operator", "catalogue imported", str(version), "; ".join(self.changes)[:2000])


def store_version(db: Connection, catalogue: Catalogue, wall_ms: int) -> int:
    """Make a catalogue the current one under the next version, which is returned; the caller holds the cloud's row.

    A cloud put back from a backup may have given out later versions than it remembers, and devices keep the latest.
    """
    newest = int(db.execute(sa.select(t.cloud.c.catalogue_version)).scalar_one())
    version = max(newest, (_generation(db) - 1) * VERSIONS_PER_GENERATION) + 1
    document = encode(msgspec.structs.replace(catalogue, version=version))
    db.execute(sa.insert(t.catalogue).values(version=version, document=document, imported_at_ms=wall_ms))
    db.execute(sa.update(t.cloud).values(catalogue_version=version))
    return version


def _by_key(catalogue: Catalogue) -> dict[str, Experiment]:
    return {each.key: each for each in catalogue.experiments}


def _session_name(event: Event, at: EventSession) -> str:
    return f"{event.title} ({at.key})"


def _with_papers(db: Connection, catalogue: Catalogue) -> Catalogue:
    """Lay the operator's print templates over the file's; those that the file overtook are forgotten."""
    filed = catalogue
    for row in db.execute(sa.select(t.paper_change)):
        change = PaperChange(*row)
        if still_holds(filed, change):
            catalogue = with_template(catalogue, change.kind, change.text)
        else:
            db.execute(sa.delete(t.paper_change).where(t.paper_change.c.kind == change.kind))
    return catalogue
