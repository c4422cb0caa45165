"""Decide about quotas, each under the lock on its row: check, step down, grant and recall.

This is the only place where stock leaves the pool. What others count meanwhile may be seen or not: it can only have made the
pool larger. A device whose life begins meanwhile is not granted to.
"""

from __future__ import annotations

from collections.abc import Iterable

from mqtt_bridge.cloud.books import Book, Settled, settle
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.incoming import Outcome
from mqtt_bridge.cloud.introductions import CLOUD
from mqtt_bridge.cloud.records import Cloud, Device, Line, Quota
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.work import Work


class Overtaken(Exception):
    """A device began another life while a grant to the old one was planned; plan again."""


def plan_quotas(rows: Rows, quotas: Iterable[str], wall_ms: int) -> Outcome:
    """Plan these quotas in one transaction; raises ``Overtaken`` with nothing to be kept.

    Returns who is to be told: devices with new grants, and those with letters.
    """
    work = Work(rows)
    ids = sorted(set(quotas))
    work.of(Quota).lock("id", ids, Lock.ALONE)
    cloud = work.of(Cloud).get(1)
    if cloud is None or cloud.frozen:
        return Outcome()
    devices = {each.name: each for each in work.of(Device).fetch_all()}
    work.of(Line).fetch("quota", ids)
    settled, planned = Settled(), {}
    for quota in [found for each in ids if (found := work.of(Quota).get(each)) is not None]:
        book = Book(work, quota, work.of(Line).where("quota", quota.id))
        settle(book, devices, wall_ms, settled)
        planned[quota.id] = len(book.lines)
    _fence(rows, settled)
    work.of(Line).lock_changed()
    forwarder = Forwarder(work, lambda _: None)
    for name, letter in settled.letters:
        forwarder.send(name, CLOUD, letter)
    work.write()
    return Outcome(answered=set(settled.granted), addressees=forwarder.addressees, planned=planned)


def _fence(rows: Rows, settled: Settled) -> None:
    """Keep the lives of those who are granted to until COMMIT: stock for an ended life would stay in doubt."""
    names = [(name,) for name in sorted(settled.granted)]
    for device in rows.lock(Device, ("name",), names, Lock.SHARE_KEY):
        if device.epoch != settled.granted[device.name]:
            raise Overtaken(device.name)
