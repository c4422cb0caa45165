"""What devices are told: their state, the catalogue, images and keys. All retained and complete, so the broker may forget it.

Revisions live in rows: whichever process publishes, the number grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.catalogue import images
from mqtt_bridge.cloud.directory import Device, Devices, key_directory
from mqtt_bridge.cloud.ledger import Book, Ledger
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import DeviceState, Granted

# Figures that decide nothing (what is left elsewhere) are told at most this often, and everything at least that often.
CALM_MS = 1_000
REFRESH_MS = 15_000


class Publication(NamedTuple):
    """One message for the broker."""

    topic: str
    payload: bytes
    retain: bool = True


def states(
    db: Connection, org: str, devices: Devices, ledger: Ledger, asked: set[str], wall_ms: int
) -> Iterator[Publication]:
    """Yield the states that must be told now: to those ``asked`` always, to others when theirs changed or is old.

    Changes ``devices``, so it comes before they are written.
    """
    for device in devices.values():
        if device.inc is not None and device.status != "sealed":
            state = _state(db, device, ledger.books(), wall_ms)
            if device.name in asked or _due(device, state, wall_ms):
                device.state_revision = state.revision
                device.state_urgent, device.state_digest = _digests(state)
                device.state_at_ms = wall_ms
                yield Publication(topics.down(org, device.name, "state"), encode(state))


def _state(db: Connection, device: Device, books: list[Book], wall_ms: int) -> DeviceState:
    inc = device.inc or ""
    return DeviceState(
        device=device.name,
        inc=inc,
        revision=device.state_revision + 1,
        upto=SqlMail(db).received(device.name, inc),
        grants=tuple(
            _granted(book, device) for book in books if not book.retired or book.line(device.name, device.epoch)
        ),
        door=device.door,
        stop=device.stopped,
        as_of_ms=wall_ms,
    )


def _granted(book: Book, device: Device) -> Granted:
    line = book.line(device.name, device.epoch)
    return Granted(
        quota=book.id,
        epoch=device.epoch,
        granted=line.totals.granted if line else 0,
        confirmed=line.totals.confirmed if line else 0,
        elsewhere=book.elsewhere(device.name),
        limit=book.limit,
    )


def _due(device: Device, state: DeviceState, wall_ms: int) -> bool:
    urgent, digest = _digests(state)
    age_ms = wall_ms - device.state_at_ms
    # An age below zero is a clock that was set back; then everything is told again.
    old = not 0 <= age_ms < REFRESH_MS
    return urgent != device.state_urgent or (digest != device.state_digest and age_ms >= CALM_MS) or old


def _digests(state: DeviceState) -> tuple[str, str]:
    """Return (what the device acts on, everything but the time and revision) as short hashes."""
    acts_on = [(each.quota, each.epoch, each.granted, each.confirmed, each.limit) for each in state.grants]
    urgent = _short((state.inc, state.stop, state.door, acts_on))
    return urgent, _short((urgent, [each.elsewhere for each in state.grants]))


def _short(value: object) -> str:
    return hashlib.sha256(encode(value)).hexdigest()[:16]


def catalogue(db: Connection, org: str, current: Catalogue) -> Iterator[Publication]:
    """Yield the images, then the catalogue that names them."""
    named = sa.select(t.asset).where(t.asset.c.sha256.in_(images(current))).order_by(t.asset.c.sha256)
    for row in db.execute(named):
        yield Publication(topics.everyone(org, f"asset/{row.sha256}"), row.media_type.encode() + b"\n" + row.body)
    if current.version:
        yield Publication(topics.everyone(org, "catalogue"), encode(current))


def keys(db: Connection, org: str) -> Publication:
    """Return the directory of devices and public keys."""
    return Publication(topics.everyone(org, "keys"), encode(key_directory(db)))
