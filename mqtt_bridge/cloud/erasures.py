"""Erasing a person everywhere: the cloud's own rows at once, each device through its outbox, and who has done it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.catalogue import current_catalogue
from mqtt_bridge.cloud.directory import audit
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import sender
from mqtt_bridge.mailbox.personal import forget_private
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.codec import Signer, decode, decode_downlink
from mqtt_bridge.protocol.messages import Content, ErasePersonalData, Private
from mqtt_bridge.protocol.privacy import contact_digest, means
from mqtt_bridge.protocol.topics import CLOUD


class ErasureRefused(Exception):
    """Nobody can be meant; the sentence says what to write instead."""


@dataclass(frozen=True)
class Asked:
    """An erasure and what each device that was asked has done: orders concerned, None while it has not answered.

    ``sealed`` devices cannot be asked: their cards have to be destroyed.
    """

    erasure: str
    devices: dict[str, int | None]
    sealed: tuple[str, ...]


def erase(
    database: Database, signer: Signer, org: str, wall_ms: int, salt: str, *, order: str = "", contact: str = ""
) -> Asked:
    """Forget a person, by an order's id or readable code or by contact; asking again for an order shows how far it is.

    ``salt`` is a fresh secret that also names the erasure. Raises ``ErasureRefused``.
    """

    def run(db: Connection) -> Asked:
        if not contact:
            found = _order(db, order)
            known = db.execute(sa.select(t.erasure.c.id).where(t.erasure.c.order == found)).scalar()
            if known is not None:
                return _asked(db, known)
            wanted = ErasePersonalData(salt, order=found)
        else:
            wanted = ErasePersonalData(salt, salt=salt, digest=contact_digest(salt, contact))
        _remember(db, wanted, wall_ms)
        _forget_here(db, wanted)
        inc = db.execute(sa.select(t.cloud.c.inc)).scalar_one()
        for device in _whom(db, wanted):
            db.execute(sa.insert(t.erasure_device).values(erasure=wanted.erasure, device=device))
            sender.enqueue(
                SqlMail(db), device, inc, wanted, signer=signer, org=org, sender=CLOUD, origin=CLOUD, wall_ms=wall_ms
            )
        audit(db, wall_ms, "operator", "personal data erased", wanted.erasure, wanted.order)
        return _asked(db, wanted.erasure)

    return database.run(run)


def _order(db: Connection, text: str) -> str:
    """Return the id of the order with this id or code; an id that never arrived here may still arrive."""
    normal = ids.normal_code(text)
    if normal is None:
        if len(text) < ids.SECRET_BYTES:
            raise ErasureRefused(f"{text!r} is neither an order's id nor its code; find it on the ticket or with staff")
        return text
    found = db.execute(sa.select(t.order.c.id).where(t.order.c.code == normal)).scalars().all()
    if len(found) != 1:
        raise ErasureRefused(f"{len(found)} orders have the code {ids.shown(normal)}; write the order's id instead")
    return str(found[0])


def _remember(db: Connection, wanted: ErasePersonalData, wall_ms: int) -> None:
    row = {"id": wanted.erasure, "order": wanted.order, "salt": wanted.salt, "digest": wanted.digest}
    db.execute(sa.insert(t.erasure).values(**row, asked_at_ms=wall_ms))


def _forget_here(db: Connection, wanted: ErasePersonalData) -> None:
    """Strip what waits in the cloud's rows; names and contacts are kept nowhere else here."""

    def concerned(content: Content, private: Private) -> bool:
        return means(wanted, getattr(content.body, "order", ""), private.contact)

    forget_private(db, None, concerned)
    for table in (t.parked, t.letter, t.request):
        c, (key,) = table.c, table.primary_key
        for row in db.execute(sa.select(key.label("id"), c.body, c.private).where(c.private.is_not(None))).all():
            body = decode_downlink(row.body)
            if means(wanted, getattr(body, "order", ""), decode(row.private, Private).contact):
                db.execute(sa.update(table).where(key == row.id).values(private=None))

    for table in (t.verification, t.verification_word, t.mail):
        c, (key,) = table.c, table.primary_key
        for row in db.execute(sa.select(key.label("id"), c.order_id, c.private).where(c.private.is_not(None))).all():
            if means(wanted, row.order_id, decode(row.private, Private).contact):
                db.execute(sa.update(table).where(key == row.id).values(private=None))


def _whom(db: Connection, wanted: ErasePersonalData) -> list[str]:
    """Return the devices that may know the person: of a known order its issuer and doors, otherwise all of them."""
    d = t.device.c
    able = {row.name: row for row in db.execute(sa.select(d.name, d.venue, d.door).where(d.status != "sealed"))}
    issuer = db.execute(sa.select(t.order.c.issuer).where(t.order.c.id == wanted.order)).scalar()
    if issuer is None:
        return sorted(able)
    catalogue = current_catalogue(db)
    tickets = sa.select(t.ticket.c.event_session).where(t.ticket.c.order_id == wanted.order).distinct()
    venues = {catalogue.venue_of(each) for each in db.execute(tickets).scalars()}
    return sorted(name for name, row in able.items() if name == issuer or (row.door and row.venue in venues))


def _asked(db: Connection, erasure: str) -> Asked:
    c = t.erasure_device.c
    rows = db.execute(sa.select(c.device, c.orders).where(c.erasure == erasure).order_by(c.device))
    sealed = sa.select(t.device.c.name).where(t.device.c.status == "sealed").order_by(t.device.c.name)
    return Asked(erasure, {row.device: row.orders for row in rows}, tuple(db.execute(sealed).scalars()))
