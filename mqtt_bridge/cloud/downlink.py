"""Send outbox rows to devices until each acknowledged its own: a window per device, rewound when patience runs out."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.reconcile import Outcome
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import sender
from mqtt_bridge.mailbox.machine import Window
from mqtt_bridge.protocol import topics

Publish = Callable[[str, bytes], bool]


class Downlinks:
    """What was handed to the network lately, per device; the truth about it is in the outbox."""

    def __init__(self, database: Database, publish: Publish, org: str) -> None:
        self._database = database
        self._publish = publish
        self._org = org
        self._inc = ""
        self._windows: dict[str, Window] = {}
        self._pending: set[str] = set()

    def restart(self, now_ms: int) -> None:
        """After a connect: begin with each device's first unacked message."""
        with self._database.read() as db:
            self._inc = db.execute(sa.select(t.cloud.c.inc)).scalar_one()
            for name in db.execute(sa.select(t.device.c.name)).scalars().all():
                self._windows[name] = Window().starting(_acked(db, name, self._inc), now_ms)
        self._pending = set(self._windows)

    def note(self, outcome: Outcome, now_ms: int) -> None:
        """Take in what a batch changed: acks, new messages, and devices that said hello."""
        for name, ack in outcome.downlink_acks.items():
            window = self._windows.get(name, Window())
            restarted = name in outcome.restarted
            self._windows[name] = (
                window.starting(ack.upto, now_ms) if restarted else window.acknowledged(ack.upto, now_ms)
            )
        self._pending |= outcome.downlinks | outcome.downlink_acks.keys()

    def pump(self, now_ms: int) -> None:
        """Send what there is room for, and again what nobody acknowledged in time."""
        for name, window in self._windows.items():
            ticked = window.ticking(now_ms)
            if ticked is not window:
                self._windows[name] = ticked
                self._pending.add(name)
        if not self._pending or not self._inc:
            return
        pending, self._pending = sorted(self._pending), set()
        with self._database.read() as db:
            for name in pending:
                self._send(db, name, now_ms)

    def _send(self, db: Connection, name: str, now_ms: int) -> None:
        window = self._windows.get(name, Window())
        if not window.room:
            return
        for row in sender.unacked(db, name, window.sent, window.room, inc=self._inc):
            if not self._publish(topics.down(self._org, name, "msg"), row.envelope):
                break
            window = window.sending(row.seq, now_ms)
        self._windows[name] = window


def _acked(db: Connection, name: str, inc: str) -> int:
    """Everything of ``inc`` up to this number is acknowledged."""
    waiting = sender.streams(db, name)
    return waiting[inc] if inc in waiting else sender.last_seq(db, name, inc)
