"""The parts of a run that controls replace. Each subclass switches one guard of the product off, from outside.

A simulator that finds nothing may be blind: with any of these off it must find a broken promise (``test_controls``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from appliance.domain.inventory import Shelf
from mqtt_bridge.cloud import greetings, introductions, reconcile
from mqtt_bridge.cloud.records import Device as DeviceRow
from mqtt_bridge.cloud.rows import Rows
from mqtt_bridge.cloud.service import Reconciler
from mqtt_bridge.mailbox import receiver, sender
from mqtt_bridge.mailbox.machine import Place, place
from mqtt_bridge.protocol import waitlist
from mqtt_bridge.protocol.messages import Ack
from mqtt_bridge.protocol.waitlist import Waiting
from mqtt_bridge.relay import Relay
from tests.simulation import till
from tests.simulation.centre import AFTER_COMMIT, Vault
from tests.simulation.device import Device
from tests.simulation.unit import CLOUD, Unit

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")


class Guards:
    """Everything as in the product. ``always`` names rare faults that every run of a control has."""

    name = "all guards on"
    always: tuple[str, ...] = ()

    def vault(self) -> Vault:
        return Vault()

    def reconciler(self, *args: Any, **names: Any) -> Reconciler:
        return Reconciler(*args, **names)

    def device(self, world: World, name: str, venue: str, board: str) -> Device:
        return Device(world, name, venue, board)

    def patches(self) -> list[Any]:
        return []

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        """Have the replaced parts in place for a while."""
        with ExitStack() as stack:
            for each in self.patches():
                stack.enter_context(each)
            yield


class NoDedupe(Guards):
    """A message that was applied before is applied again."""

    name = "dedupe"

    def patches(self) -> list[Any]:
        def forgetful(seq: int, upto: int) -> Place:
            found = place(seq, upto)
            return Place.NEXT if found is Place.DUPLICATE else found

        return [mock.patch.object(receiver, "place", forgetful)]


class LateVault(Vault):
    """Answers before it commits: what was answered and told is lost if the client dies before its next step."""

    def step_begins(self) -> None:
        self.journal.commit()

    def run(self, change: Callable[[Rows], T]) -> T:
        if self.failing:
            raise OSError("the database does not take it")
        self.commits += 1
        return self._then(AFTER_COMMIT, change(self.rows))

    def client_died(self) -> None:
        self.journal.roll_back()


class SendsBeforeDebit(Guards):
    """Grants and acks leave before the rows they rest on are committed."""

    name = "debit before send"
    always = ("kill_reconciler", "crash_reconciler_after", "restart_broker")

    def vault(self) -> Vault:
        return LateVault()


class TrustingRelay(Relay[Unit]):
    """Takes the broker's word for the cloud's."""

    def _send_rows(self) -> None:
        super()._send_rows()
        reached = dict(self._pump._reached)
        self._run(
            lambda unit: [
                unit.mail.acknowledge(CLOUD, Ack(inc, upto), self._wall_ms()) for inc, upto in reached.items()
            ]
        )


class TrustingDevice(Device):
    relay_type = TrustingRelay


class NoAppAck(Guards):
    """A PUBACK counts as delivered."""

    name = "app ack"

    def device(self, world: World, name: str, venue: str, board: str) -> Device:
        return TrustingDevice(world, name, venue, board)


class NoEpoch(Guards):
    """A new life goes on with the allocation of the last one."""

    name = "epoch"
    always = ("roll_back",)

    def patches(self) -> list[Any]:
        real = introductions.begin_life

        def same_epoch(work: Any, device: DeviceRow, *rest: Any) -> DeviceRow:
            begun = real(work, device, *rest)
            return work.of(DeviceRow).change(begun, epoch=device.epoch) if device.epoch else begun

        return [mock.patch.object(greetings, "begin_life", same_epoch)]


class NoHoldSubtraction(Guards):
    """What somebody holds is offered to the next one too."""

    name = "hold subtraction"

    def patches(self) -> list[Any]:
        return [mock.patch.object(Shelf, "free", property(lambda shelf: shelf.totals.available(0)))]


class NoAmnesiaCheck(Guards):
    """Nobody compares what a device remembers with what arrived of it."""

    name = "amnesia check"
    always = ("roll_back",)

    def patches(self) -> list[Any]:
        def gullible(mail: Any, peer: str, ack: Ack, wall_ms: int) -> bool:
            mail.acknowledge(peer, ack, wall_ms)
            return True

        return [
            mock.patch.object(till, "forgot", return_value=False),
            mock.patch.object(sender, "settle", gullible),
            mock.patch.object(reconcile.Batch, "_compare", lambda _batch, device, *_: device),
        ]


class NoSecondLook(Guards):
    """Whoever goes on in a life that is over is a copy for good, whether or not the other card is there."""

    name = "older lives"
    always = ("same_image",)

    def patches(self) -> list[Any]:
        return [mock.patch.object(greetings, "_stop_if_alone", return_value=None)]


class RevivesOffers(Guards):
    """An offer that is over is confirmed like any expired hold."""

    name = "dead offers"

    def patches(self) -> list[Any]:
        return [mock.patch.object(till, "_require_live_offer", return_value=None)]


class NoOrder(Guards):
    """Who came last is served first."""

    name = "order of the line"

    def patches(self) -> list[Any]:
        real = waitlist.merged

        def upside_down(*line: Any, **link: Any) -> list[Waiting]:
            return real(*line, **link)[::-1]

        return [mock.patch.object(waitlist, "merged", upside_down)]


CONTROLS: tuple[type[Guards], ...] = (
    NoDedupe,
    SendsBeforeDebit,
    NoAppAck,
    NoEpoch,
    NoHoldSubtraction,
    NoAmnesiaCheck,
    NoSecondLook,
    RevivesOffers,
    NoOrder,
)
