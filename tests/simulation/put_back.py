"""Cards that were put back by an older image: what only the lost card knew as sold, and how much of it may be sold twice.

Where the cloud, or the broker for it, has more of a life than its card, the device begins another one and sells nothing of the
old. Where nobody has, what was sold meanwhile of grants that the image will be told again is lost knowledge. So is what was sold of
grants that the cloud forgot too.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import DeviceState
from mqtt_bridge.protocol.stock import Totals
from tests.simulation.device import ORG
from tests.simulation.unit import CLOUD

if TYPE_CHECKING:
    from tests.simulation.card import Card
    from tests.simulation.device import Device
    from tests.simulation.world import World

Key = tuple[str, int]
"""Quota and epoch."""


class _Forgotten:
    """A card and the image that replaced it; ``stated`` tickets of it may be sold twice."""

    def __init__(self, device: Device, image: Card) -> None:
        self.device = device
        self.inc = device.card.row.inc
        self.upto = image.mail.last_seq(CLOUD, self.inc)
        self.lost, self.kept = _totals(device.card), _totals(image)
        self.stated: Counter[Key] = Counter()
        self.received = 0  # messages of this life that a cloud has which was put back since
        self.known: int | None = None  # and how many the one that was lost had, as far as anybody knows

    @property
    def goes_on(self) -> bool:
        """Whether the device still lives the life that its card forgot some of."""
        return self.device.card.row.inc == self.inc

    @property
    def shows(self) -> bool:
        """Whether it has written less than is known of it. One that wrote as much since looks like any other."""
        return self.device.card.mail.last_seq(CLOUD, self.inc) < (self.known or 0)

    def sold_since(self) -> dict[Key, int]:
        """Tickets that only the lost card knew as sold and that can be of grants which only it had."""
        kept = {key: self.kept.get(key, Totals()) for key in self.lost}
        return {
            key: min(lost.granted - kept[key].granted, lost.sold - kept[key].sold) for key, lost in self.lost.items()
        }

    def sold_unknown(self, lines: dict[tuple[str, str, int], Totals]) -> dict[Key, int]:
        """Tickets sold of what the cloud does not know any more to have granted, or confirmed and forgot."""
        found = {}
        for (quota, epoch), lost in self.lost.items():
            known = lines.get((quota, self.device.name, epoch), Totals())
            sold = min(lost.granted - known.granted, lost.sold - lost.cancelled)
            found[quota, epoch] = max(0, sold) + max(0, lost.confirmed - known.confirmed)
        return found


class PutBack:
    """Every card of a run that was put back; what they make possible is added to ``excess`` by quota."""

    def __init__(self, world: World, excess: Counter[str]) -> None:
        self.world = world
        self.excess = excess
        self.cards: list[_Forgotten] = []
        self.unnoticed: set[Device] = set()

    def note(self, device: Device, image: Card) -> None:
        """``image`` is about to replace the device's card."""
        forgotten = _Forgotten(device, image)
        self.cards.append(forgotten)
        if self.world.centre.received(device.name, forgotten.inc) <= forgotten.upto:
            self._may_sell_twice(forgotten, forgotten.sold_since())

    def cloud_lost(self) -> None:
        """The cloud went back in time too; of a life that goes on it may know no more than the image, but for the broker."""
        for each in self.cards:
            name = each.device.name
            each.received = self.world.centre.received(name, each.inc)
            each.known = max(each.received, self.retained_written(name, each.inc))
            self.wrote(each.device)

    def wrote(self, device: Device) -> None:
        """Look whether a card that was put back before the cloud was has written too much to be noticed any more."""
        for each in self.cards:
            if each.device is device and each.known is not None and each.goes_on and not each.shows:
                self._may_sell_twice(each, each.sold_since())
                if each.received <= each.upto:  # else the rows have another message under one of its numbers
                    self.unnoticed.add(device)

    def restore_confirmed(self, lines: dict[tuple[str, str, int], Totals]) -> None:
        """From here on the restored cloud grants again; ``lines`` is what it knows of, by quota, device and epoch."""
        for each in self.cards:
            self._may_sell_twice(each, each.sold_unknown(lines))

    def _may_sell_twice(self, forgotten: _Forgotten, numbers: dict[Key, int]) -> None:
        for key, number in numbers.items():
            more = number - forgotten.stated[key]
            if more > 0:
                forgotten.stated[key] = number
                self.excess[key[0]] += more

    def retained_written(self, device: str, inc: str) -> int:
        """How many messages of a life have been written by the last state that the broker retained."""
        retained = self.world.network.retained.get(topics.down(ORG, device, "state"))
        if retained is None:
            return 0
        state = decode(retained, DeviceState)
        return state.written if state.inc == inc else 0


def _totals(card: Card) -> dict[Key, Totals]:
    return {key: each.totals for key, each in card.shelves.rows.items()}
