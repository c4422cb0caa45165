"""One transaction of a simulated device: its card, the time it happens at, and what the truth wants to know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from appliance.domain.clock import Now
from appliance.domain.inventory import Shelf
from mqtt_bridge.mailbox import sender
from mqtt_bridge.mailbox.memory import MemoryMail
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import Signer
from mqtt_bridge.protocol.messages import Uplink
from tests.simulation.card import Card, Hold, Ticket

if TYPE_CHECKING:
    from tests.simulation.turns import Step

CLOUD = "cloud"


class Identity(NamedTuple):
    """Who a device is, and the board it runs on."""

    org: str
    venue: str
    device: str
    board: str


class Unit:
    """One transaction on a card, with the time it happens at. The truth looks at what it did.

    ``issued`` tickets were sold, ``counted`` ones cancelled; ``steps`` were taken on the waitlist; of ``freed`` quotas more is free.
    """

    def __init__(
        self, card: Card, now: Now, identity: Identity, signer: Signer, catalogue: Catalogue, secret: Callable[[], str]
    ) -> None:
        self.card = card
        self.mail: MemoryMail = card.mail
        self.now = now
        self.identity = identity
        self.signer = signer
        self.catalogue = catalogue
        self.secret = secret
        self.issued: list[Ticket] = []
        self.counted: list[str] = []
        self.steps: list[Step] = []
        self.freed: set[str] = set()
        self.emitted = 0
        self._last: list[Callable[[Unit], None]] = []

    def at_end(self, work: Callable[[Unit], None]) -> None:
        """Have ``work`` done once, in this very transaction, after everything else."""
        if work not in self._last:
            self._last.append(work)

    def finish(self) -> None:
        """Do what was put off to the end."""
        while self._last:
            self._last.pop(0)(self)

    def emit(self, body: Uplink) -> None:
        self.emitted += 1
        me = self.identity
        sender.enqueue(
            self.mail,
            CLOUD,
            self.card.row.inc,
            body,
            signer=self.signer,
            org=me.org,
            sender=me.device,
            origin=me.device,
            wall_ms=self.now.wall_ms,
        )

    def change_row(self, **values: object) -> None:
        self.card.device.put(0, self.card.row._replace(**values))  # type: ignore[arg-type]  # names are the row's

    def put_shelf(self, shelf: Shelf) -> None:
        if shelf.waited_for:
            shelf = msgspec.structs.replace(shelf, kept=0, waited_for=False)
        before = self.card.shelves.get((shelf.quota, shelf.epoch))
        if shelf.current and before is not None and shelf.free > before.free:
            self.freed.add(shelf.quota)
        self.card.shelves.put((shelf.quota, shelf.epoch), shelf)

    def change_shelf(self, quota: str, epoch: int, step: Callable[[Shelf], Shelf]) -> None:
        shelf = self.card.shelves.get((quota, epoch))
        if shelf is not None:
            self.put_shelf(step(shelf))

    def put_hold(self, hold: Hold) -> None:
        self.card.holds.put(hold.id, hold)
        if hold.state == "open":
            self.card.open_holds.put(hold.id, hold)
        else:
            self.card.open_holds.drop(hold.id)
