"""A device: a board with a card in it, a process that crashes and restarts, and the product's relay on a simulated line."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from appliance.domain.clock import Now
from mqtt_bridge.edge import Names
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import Ack, Content, DeviceState, Hello, KeyDirectory, Private, QuotaNeed, Status
from mqtt_bridge.relay import Relay
from mqtt_bridge.transport import Will
from tests.simulation import requests, till
from tests.simulation.cadence import STEP_MS, SWEEP_MS
from tests.simulation.card import Card, DeviceRow, DiskFull
from tests.simulation.clock import EPOCH_MS, Alarm
from tests.simulation.keys import Key, by_public
from tests.simulation.network import Port
from tests.simulation.unit import CLOUD, Identity, Unit

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
ORG = "acme"
BEFORE_COMMIT, AFTER_COMMIT, AFTER_PUBACK = (
    "before commit",
    "after commit, before the answer",
    "after PUBACK, before ack",
)


class Crashed(BaseException):
    """The power went, at a point where the code did not expect it."""


class Handlers:
    """``mqtt_bridge.edge.EdgeHandlers`` of a device."""

    def hello(self, unit: Unit, /) -> Hello:
        row, me = unit.card.row, unit.identity
        stock = tuple(each.count for _, each in sorted(unit.card.shelves.rows.items()))
        public = unit.signer.public_hex  # type: ignore[attr-defined]  # a Key
        return Hello(
            device=me.device,
            venue=me.venue,
            inc=row.inc,
            last_seq=unit.mail.last_seq(CLOUD, row.inc),
            kid=unit.signer.kid,
            public=public,
            stock=stock,
            downlink=unit.mail.newest(CLOUD),
            sent_at_ms=unit.now.wall_ms,
            generation=row.generation,
            earlier=tuple(inc for inc in unit.mail.streams(CLOUD) if inc != row.inc),
            began=row.began,
            untold=tuple(Ack(inc, unit.mail.last_seq(CLOUD, inc)) for inc in unit.mail.streams(CLOUD)),
        )

    def status(self, unit: Unit, /) -> Status:
        unsynced, _ = unit.mail.backlog(CLOUD)
        me = unit.identity
        stock = tuple(each.count for _, each in sorted(unit.card.shelves.rows.items()))
        return Status(me.device, me.venue, unit.card.row.inc, unsynced, 0, stock, True, {}, unit.now.wall_ms)

    def hardware(self, unit: Unit, /) -> None:
        """A simulated card has no desk."""

    def needs(self, unit: Unit, /) -> tuple[QuotaNeed, ...]:
        return till.needs(unit)

    def missing_assets(self, unit: Unit, /) -> tuple[str, ...]:
        return ()

    def apply_state(self, unit: Unit, state: DeviceState, /) -> None:
        till.apply_state(unit, state)

    def went_back(self, unit: Unit, inc: str, /) -> None:
        till.went_back(unit, inc)

    def apply_catalogue(self, unit: Unit, catalogue: Catalogue, /) -> None:
        pass

    def apply_keys(self, unit: Unit, keys: KeyDirectory, /) -> None:
        pass

    def apply_asset(self, unit: Unit, sha256: str, media_type: str, body: bytes, /) -> None:
        pass

    def apply_message(self, unit: Unit, content: Content, private: Private | None, /) -> None:
        key = (content.inc, content.seq)
        unit.card.applied.put(key, unit.card.applied.get(key, 0) + 1)
        requests.apply_message(unit, content, private)

    def link_changed(self, unit: Unit, up: bool, /) -> None:
        till.link_changed(unit, up=up)


class Device:
    """One box office. ``name`` is what it was provisioned as; a clone has the same name on another board."""

    relay_type: type[Relay[Unit]] = Relay

    def __init__(self, world: World, name: str, venue: str, board: str, card: Card | None = None) -> None:
        self.world = world
        self.name = name
        self.label = name
        self.identity = Identity(ORG, venue, name, board)
        self.key = Key.of(name)
        self.card = card or Card()
        self.on = False
        self.dead = False
        self.wall_offset_ms = 0
        self.boots = 0
        self.boot_id = f"{board}-0"
        self.booted_at_ms = 0
        self.crash_at = ""
        self.commits = 0
        self._sweep_due_ms = 0
        self._rng = random.Random(f"{world.seed} {name} {len(world.devices)}")
        self._secrets = 0
        self._alarm = Alarm(world.time, self._step)
        self.port = self._new_port()
        self.relay = self._new_relay()

    # --- what the simulation asks of a machine

    @property
    def now(self) -> Now:
        """All clocks of the device."""
        time_ms = self.world.time.now_ms
        wall_ms = EPOCH_MS + time_ms + self.wall_offset_ms
        return Now(wall_ms, time_ms - self.booted_at_ms, self.boot_id, self.wall_offset_ms == 0)

    def secret(self) -> str:
        """A fresh id, never used before by any device."""
        return f"{self._rng.getrandbits(64):016x}"

    def boot(self) -> None:
        """Start with what the card holds; a card of another board begins a new life."""
        if self.on or self.dead:
            return
        self.on = True
        self.boots += 1
        self.boot_id = f"{self.identity.board}-{self.boots}"
        self.booted_at_ms = self.world.time.now_ms
        self.port = self._new_port()
        self.relay = self._new_relay()
        try:
            self.run(self._prepare)
            self.port.start()
        except Crashed:
            self.power_off()
        except DiskFull:
            self.port.start()
        self._alarm.set(1)

    def _prepare(self, unit: Unit) -> None:
        row = unit.card.device.get(0)
        if row is None:
            unit.card.device.put(0, DeviceRow(self.secret(), self.identity.board))
        elif row.bound_to != self.identity.board:
            till.begin_incarnation(unit, "another_board")

    def power_off(self) -> None:
        """Everything that was not committed is gone."""
        self.on = False
        self.crash_at = ""
        self.port.power_off()

    def power_cut(self, down_ms: int) -> None:
        """Off, and on again after a while."""
        self.power_off()
        self.world.time.after(down_ms, self.boot)

    def run(self, use_case: Callable[[Unit], T], /) -> T:
        """Run one use case in one transaction on the card."""
        card = self.card
        unit = Unit(card, self.now, self.identity, self.key, self.world.catalogue, self.secret)
        try:
            result = use_case(unit)
            unit.finish()
            self._maybe_crash(BEFORE_COMMIT)
            if card.full and card.journal.changed:
                raise DiskFull("no space left on the card")
        except BaseException:
            card.journal.roll_back()
            raise
        if card.journal.changed:
            self.commits += 1
        card.journal.commit()
        self.world.truth.note(self, unit)
        self._maybe_crash(AFTER_COMMIT)
        if unit.emitted:
            self._alarm.set(1)
        return result

    def look(self, query: Callable[[Unit], T], /) -> T:
        """Answer a query; nothing is written."""
        return query(Unit(self.card, self.now, self.identity, self.key, self.world.catalogue, self.secret))

    def crash_here(self, point: str) -> None:
        """Lose power the next time this point is reached."""
        self.crash_at = point

    def _maybe_crash(self, point: str) -> None:
        if self.crash_at == point:
            self.crash_at = ""
            self.world.tell(self.label, f"loses power {point}")
            self.world.fault_happened(point)
            raise Crashed(point)

    def crashed(self) -> None:
        """What follows a ``Crashed``: the machine is off for a while."""
        self.power_cut(self.world.rng.randint(500, 8_000))

    # --- the process

    def _new_port(self) -> Port:
        mine = [topics.down(ORG, self.name, leaf) for leaf in ("state", "ack", "msg")]
        will = Will(topics.up(ORG, self.name, "link"), encode({"up": False}))
        port = Port(self.world.network, f"marquee-{ORG}-{self.name}", mine, will)
        port.cut = getattr(self, "port", port).cut
        port.wake_owner = self._wake
        port.after_publish = lambda: self._maybe_crash(AFTER_PUBACK)
        return port

    def _new_relay(self) -> Relay[Unit]:
        names = Names(ORG, self.name, self.world.cloud_key.public_hex)
        return self.relay_type(
            self.port,
            names,
            self.run,
            self.look,
            Handlers(),
            wall_ms=lambda: self.now.wall_ms,
            ticks_ms=lambda: self.world.time.now_ms,
            key_of=by_public,
        )

    def _sweep(self) -> None:
        now_ms = self.world.time.now_ms
        if now_ms >= self._sweep_due_ms:
            self._sweep_due_ms = now_ms + SWEEP_MS
            with suppress(DiskFull):
                self.run(till.sweep)

    def _wake(self, wait_ms: int) -> None:
        if self.on:
            self._alarm.set(wait_ms)

    def _step(self) -> None:
        if not self.on:
            return
        try:
            self._sweep()
            self.relay.step(0)
        except Crashed:
            self.crashed()
            return
        self._alarm.set(1 if self.port.incoming else STEP_MS)
