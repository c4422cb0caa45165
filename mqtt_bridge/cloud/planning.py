"""Decide about quotas, each under the lock on its row: check, step down, grant and recall.

This is the only place where stock leaves the pool. What others count meanwhile may be seen or not: it can only have made the
pool larger. A device whose life begins meanwhile, or that is sealed, is not granted to.
"""

from __future__ import annotations

from collections.abc import Iterable

from mqtt_bridge.cloud import requests
from mqtt_bridge.cloud.books import Book, Settled, grant, serve_waitlist
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.closed_epochs import list_oversold, net
from mqtt_bridge.cloud.forecast import hours_left
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.incoming import Outcome
from mqtt_bridge.cloud.records import Cloud, Device, Line, Quota
from mqtt_bridge.cloud.requests import Desk
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.topics import CLOUD


class Overtaken(Exception):
    """A device began another life while a grant to the old one was planned; plan again."""


def plan_quotas(rows: Rows, quotas: Iterable[str], wall_ms: int, catalogues: Catalogues) -> Outcome:
    """Plan these quotas, and those that orders on request need with them, in one transaction.

    The waitlist comes first, then requests, then grants to devices. Raises ``Overtaken`` with nothing to be kept. Returns who
    is to be told: devices with new grants, and those with letters.
    """
    ids = sorted(requests.concerned(rows, quotas))
    work = Work(rows)
    work.of(Quota).lock("id", ids, Lock.ALONE)
    cloud = work.of(Cloud).get(1)
    if cloud is None or cloud.frozen:
        return Outcome()
    devices = {each.name: each for each in work.of(Device).fetch_all()}
    work.of(Line).fetch("quota", ids)
    locked = [found for each in ids if (found := work.of(Quota).get(each)) is not None]
    books = {each.id: Book(work, each, work.of(Line).where("quota", each.id)) for each in locked}
    for book in books.values():
        net(book, devices)
        list_oversold(work, book, devices, wall_ms)
    catalogue = catalogues.of(work)
    forwarder = Forwarder(work, catalogue.venue_of)
    settled = Settled()
    sessions = {name: at for name, (_, at) in catalogue.event_session.items()}
    left_h = {each.id: hours_left(sessions.get(each.quota.event_session), wall_ms) for each in books.values()}
    begun = {name: serve_waitlist(book, devices, wall_ms, settled, left_h[name]) for name, book in books.items()}
    rounds = {quota: each for quota, each in begun.items() if each is not None}
    waiting = requests.answer(Desk(work, books.keys(), rounds, devices, catalogue, forwarder, wall_ms), settled)
    for quota, each in rounds.items():
        met, kept, missing = (figures.get(quota, 0) for figures in (waiting.met, waiting.kept, waiting.missing))
        grant(each, devices, wall_ms, settled, requested=met, kept=kept, missing=missing)
    _fence(rows, settled)
    work.of(Line).lock_changed()
    for name, letter in settled.letters:
        forwarder.send(name, CLOUD, letter)
    work.write()
    return Outcome(
        answered=set(settled.granted),
        addressees=forwarder.addressees,
        planned={each.id: len(each.lines) for each in books.values()},
    )


def _fence(rows: Rows, settled: Settled) -> None:
    """Keep the lives of those who are granted to until COMMIT: stock for an ended life would stay in doubt."""
    names = [(name,) for name in sorted(settled.granted)]
    for device in rows.lock(Device, ("name",), names, Lock.SHARE_KEY):
        if device.epoch != settled.granted[device.name] or device.status == "sealed":
            raise Overtaken(device.name)
