"""The parts of a run that controls replace. Each subclass switches one guard of the product off, from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mqtt_bridge.cloud.service import Reconciler
from tests.simulation.centre import Vault
from tests.simulation.device import Device

if TYPE_CHECKING:
    from tests.simulation.world import World


class Guards:
    """Everything as in the product."""

    name = "all guards on"

    def vault(self) -> Vault:
        return Vault()

    def reconciler(self, *args: Any, **names: Any) -> Reconciler:
        return Reconciler(*args, **names)

    def device(self, world: World, name: str, venue: str, board: str) -> Device:
        return Device(world, name, venue, board)
