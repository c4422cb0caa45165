"""What really happened, whoever remembers it: tickets in people's hands. Every promise is checked against this."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mqtt_bridge.cloud.closed_epochs import doubt_of
from mqtt_bridge.cloud.records import Device as CloudDevice
from mqtt_bridge.cloud.records import Line as CloudLine
from mqtt_bridge.cloud.records import Order as CloudOrder
from mqtt_bridge.cloud.records import Quota as CloudQuota
from mqtt_bridge.cloud.records import Request as CloudRequest
from mqtt_bridge.cloud.records import Ticket as CloudTicket
from mqtt_bridge.protocol.stock import Totals, pool
from tests.simulation.put_back import PutBack
from tests.simulation.unit import CLOUD
from tests.simulation.violation import Violation
from tests.simulation.waits import Waits

if TYPE_CHECKING:
    from tests.simulation.card import Card, Ticket
    from tests.simulation.centre import Centre
    from tests.simulation.device import Device
    from tests.simulation.unit import Unit
    from tests.simulation.world import World

# Alarms that honest devices never cause, whatever the network does.
IMPOSSIBLE = ("indigestible", "malformed", "impossible-total", "strange-key", "wrong-identity", "unknown-session")


class Sale(NamedTuple):
    """An order as it was committed on some card."""

    order: str
    device: str
    tickets: tuple[str, ...]


class Truth:
    """Facts of one run. ``excess`` is how many tickets of a quota copies of cards may sell twice, as stated beforehand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waits = Waits(world)
        self.quota_of: dict[str, str] = {}
        self.void: set[str] = set()
        self.valid: Counter[str] = Counter()
        self.most: dict[str, int] = {}
        self.excess: Counter[str] = Counter()
        self.sales: dict[str, Sale] = {}
        self.answered: set[str] = set()
        self.excused: set[str] = set()
        self.order_of_hold: dict[str, str] = {}
        self.copied: set[str] = set()
        self.amnesia: list[Device] = []
        self.refused = 0
        self.requests: dict[str, Device] = {}
        self.life_of_epoch: dict[tuple[str, int], str] = {}
        self.short: dict[str, int] = {}
        self.unheard: set[str] = set()
        self.put_back = PutBack(world, self.excess)

    # --- what happens

    def note(self, device: Device, unit: Unit) -> None:
        """Write down what a committed transaction did."""
        if unit.issued:
            self._issue(device, unit)
        self.waits.note(device, unit)
        if unit.emitted:
            self.put_back.wrote(device)
        for ticket in unit.counted:
            if ticket in self.quota_of and ticket not in self.void:
                self.void.add(ticket)
                self.valid[self.quota_of[ticket]] -= 1

    def _issue(self, device: Device, unit: Unit) -> None:
        for ticket in unit.issued:
            # A card that went back in time may hear of a met request again.
            if ticket.id not in self.quota_of:
                self.quota_of[ticket.id] = ticket.quota
                self.valid[ticket.quota] += 1
            if ticket.order not in self.requests:
                self._check_life(device, ticket, unit.card.row.inc)
        for order in {each.order for each in unit.issued}:
            tickets = tuple(each.id for each in unit.issued if each.order == order)
            self.sales[order] = Sale(order, device.name, tickets)
            if order in self.requests:
                self.answered.add(order)
        for quota in {each.quota for each in unit.issued}:
            self.check_oversell(quota)

    def _check_life(self, device: Device, ticket: Ticket, inc: str) -> None:
        """What a life left behind is never sold by the next one."""
        if self.life_of_epoch.setdefault((device.name, ticket.epoch), inc) != inc:
            raise Violation(f"{device.label} sells from epoch {ticket.epoch}, which belongs to an earlier life")

    def told(self, hold: str, order: str) -> None:
        """An attendee saw a confirmation. The same hold never becomes two orders, except on a card that went back in time."""
        before = self.order_of_hold.setdefault(hold, order)
        sale = self.sales[order]
        if before != order and sale.device not in self.copied:
            raise Violation(f"hold {hold} became order {before} and then order {order}")
        self.answered.add(order)

    def requested(self, order: str, device: Device) -> None:
        """An attendee was told that a request is under way."""
        self.requests[order] = device

    def limit_changed(self, quota: str, limit: int) -> None:
        """The most that may ever be valid: tickets sold under an earlier, larger limit stay valid."""
        self.most[quota] = max(self.most.get(quota, 0), limit)

    def copy_made(self, device: Device, card: Card, *, may_sell: bool) -> None:
        """A copy of a card will run: what it could still sell is the stated excess."""
        self.copied.add(device.name)
        if may_sell:
            for quota in self.most:
                self.excess[quota] += max(0, card.unsold(quota))

    def card_replaced(self, device: Device, image: Card) -> None:
        """An earlier image replaces the card: besides what it could sell, what was granted and sold since and nobody can notice."""
        self.copy_made(device, image, may_sell=True)
        self.put_back.note(device, image)
        self.card_lost(device, image)

    def card_lost(self, device: Device, card: Card | None) -> None:
        """A card is gone, or replaced by an older one: what only it knew is outside the promise."""
        kept = card.orders.rows if card is not None else {}
        for sale in self.sales.values():
            if sale.device == device.name and sale.order not in kept:
                self.excused.add(sale.order)

    # --- what must hold at every step

    def check_oversell(self, quota: str) -> None:
        """Valid tickets <= limit + extra + what copies could sell."""
        most = self.most[quota] + self.excess[quota]
        if self.valid[quota] > most:
            self._hear_of_voided(quota)
        if self.valid[quota] > most:
            raise Violation(f"oversold: {self.valid[quota]} valid tickets of {quota}, at most {most} may be")

    def _hear_of_voided(self, quota: str) -> None:
        """A sealed device counts nothing any more: the cloud cancels for it what the door no longer lets in.

        Rare and slow to look up, so it is left until the count seems too high.
        """
        tickets = self.world.centre.vault.rows.all(CloudTicket)
        for each in (known for known in tickets if known.quota == quota and known.state == "cancelled"):
            sale = self.sales.get(each.order_id)
            if each.id in self.void or sale is None or sale.device not in self.world.sealed:
                continue
            at_door = self.world.door_of(each.event_session).card.tickets.get(each.id)
            if at_door is not None and at_door.voided:
                self.void.add(each.id)
                self.valid[quota] -= 1

    def check_books(self, centre: Centre) -> None:
        """pool + sum(granted - returned + confirmed) = limit + extra, pool >= 0; no card knows of more than was granted."""
        if centre.restoring:
            return  # these rows are yesterday's and grant nothing until everybody was heard
        lines = centre.lines()
        by_key = {(each.quota, each.device, each.epoch): each for each in lines}
        for quota in centre.quotas():
            left = _left(quota, lines)
            if left < self.short.get(quota.id, 0):
                raise Violation(f"the pool of {quota.id} is {left}")
            if quota.id in self.short:
                self.short[quota.id] = min(left, 0)
        for device in self.world.devices:
            for (quota_id, epoch), shelf in device.card.shelves.rows.items():
                line = by_key.get((quota_id, device.name, epoch))
                granted = line.granted if line is not None else 0
                if shelf.totals.granted > granted and device.label not in self.unheard:
                    raise Violation(
                        f"{device.label} has {shelf.totals.granted} of {quota_id} at epoch {epoch}, granted are {granted}"
                    )

    def cloud_lost(self, centre: Centre) -> None:
        """Who went back in time no further than the cloud did has told these rows nothing that it forgot, nor the broker."""

        def known(name: str, inc: str) -> int:
            return max(centre.received(name, inc), self.put_back.retained_written(name, inc))

        lives = [(each, each.card.row.inc) for each in self.amnesia]
        self.amnesia = [each for each, inc in lives if known(each.name, inc) > each.card.mail.last_seq(CLOUD, inc)]
        self.put_back.cloud_lost()

    def restore_confirmed(self, centre: Centre) -> None:
        """A restored cloud may not yet have heard again what came back: its pools may be short, and only fill up from here.

        Of two machines with one name it hears one; what it lacks of the other's stock it grants again, and that is stated: all
        of it, or what was sold of it before that machine was taken away. So it is with a device that was sealed unheard: the
        price of the seal said that what it was granted after the backup is not known. And so it is where a card forgot a grant
        together with the cloud: what it had sold of it only the guests' receipts know.
        """
        lines = centre.lines()
        for quota in centre.quotas():
            self.short[quota.id] = min(0, _left(quota, lines))
        known = {(each.quota, each.device, each.epoch): each.totals for each in lines}
        for device in self.world.devices:
            stated = device.name in self.copied or device.name in centre.sealed_unheard
            for (quota_id, epoch), shelf in device.card.shelves.rows.items() if stated else ():
                unknown = shelf.totals.granted - known.get((quota_id, device.name, epoch), Totals()).granted
                if unknown > 0:
                    sold = shelf.totals.sold - shelf.totals.cancelled
                    self.excess[quota_id] += min(unknown, sold) if device.dead else unknown
                    self.unheard.add(device.label)
        self.put_back.restore_confirmed(known)

    # --- what must hold when all is well again

    def check_healed(self) -> None:
        """Everything confirmed has arrived, once; both sides count alike; every copy was noticed."""
        centre = self.world.centre
        self._check_health()
        self._check_pools(centre)
        self._check_arrived(centre)
        self._check_convergence(centre)
        self._check_detected(centre)
        self._check_requests()
        self.waits.check_healed(centre)
        wrong = centre.alarms(*IMPOSSIBLE)
        if wrong:
            raise Violation(f"an alarm that cannot be: {wrong[0].kind} {wrong[0].subject}: {wrong[0].detail}")

    def _check_pools(self, centre: Centre) -> None:
        """A pool is still short only where a card forgot with the cloud, or a lost device did not say again what it returned."""
        devices = {each.name: each for each in centre.vault.rows.all(CloudDevice)}
        for quota, left in self.short.items():
            in_doubt = doubt_of(0, [each for each in centre.lines() if each.quota == quota], devices).in_doubt
            if left < -in_doubt and not self.copied:
                raise Violation(f"the pool of {quota} is still {left}, with {in_doubt} in doubt")

    def _check_health(self) -> None:
        for device in self.world.devices:
            twice = [key for key, times in device.card.applied.rows.items() if times > 1]
            if twice:
                raise Violation(f"{device.label} applied message {twice[0][1]} of the cloud more than once")
            health = device.relay.health
            if not device.dead and (health.failing or health.rejected):
                raise Violation(f"{device.label} cannot digest something: {health.failing}, {health.rejected} rejected")

    def _check_arrived(self, centre: Centre) -> None:
        orders = {each.id: each for each in centre.vault.rows.all(CloudOrder)}
        tickets: dict[str, set[str]] = {}
        for each in centre.vault.rows.all(CloudTicket):
            tickets.setdefault(each.order_id, set()).add(each.id)
        for order in sorted(self.answered - self.excused):
            sale = self.sales[order]
            if order not in orders:
                raise Violation(f"lost: order {order}, confirmed at {sale.device}, never reached the cloud")
            if tickets.get(order, set()) != set(sale.tickets):
                raise Violation(f"order {order} arrived with other tickets than it was confirmed with")

    def _check_convergence(self, centre: Centre) -> None:
        lines = {(each.quota, each.device, each.epoch): each for each in centre.lines()}
        for device in self.world.devices:
            if device.dead or device.name in self.world.sealed:
                continue
            waiting, _ = device.card.mail.backlog(CLOUD)
            if waiting:
                raise Violation(f"{device.label} still has {waiting} messages to deliver")
            left, _ = centre.vault.rows.mail.backlog(device.name)
            if left:
                raise Violation(f"the cloud still has {left} messages for {device.label}")
            for (quota, epoch), shelf in device.card.shelves.rows.items():
                line = lines.get((quota, device.name, epoch))
                known = Totals() if line is None else line.totals
                if device.name not in self.copied and _own(known) != _own(shelf.totals):
                    raise Violation(f"{device.label} counts {shelf.totals} of {quota}, the cloud {known}")
        if not self.copied and not self.world.sealed:
            for quota, number in self.valid.items():
                counted = sum(each.totals.valid for each in lines.values() if each.quota == quota)
                if counted != number:
                    raise Violation(f"{number} tickets of {quota} are valid, the cloud counts {counted}")

    def _check_requests(self) -> None:
        """Everybody who asked got an answer, where no stock is in doubt that might still come back for them.

        For a sealed device the cloud has spoken, whatever is in doubt.
        """
        for asked in self.world.centre.vault.rows.all(CloudRequest):
            if asked.state == "waiting" and asked.device in self.world.sealed:
                raise Violation(f"the cloud never answered request {asked.order_id} for sealed {asked.device}")
        if self.copied or self.world.sealed:
            return
        for order, device in self.requests.items():
            known = device.card.orders.get(order)
            if known is not None and known.status == "requested" and order not in self.excused:
                raise Violation(f"nobody ever answered request {order} of {device.label}")

    def _check_detected(self, centre: Centre) -> None:
        told = centre.alarms("went-back", "second-history", "old-life")
        for device in self.amnesia:
            if device in self.put_back.unnoticed:
                continue
            if not device.dead and not any(each.subject.startswith(device.name) for each in told):
                raise Violation(f"{device.label} went back in time and nobody noticed")


def _left(quota: CloudQuota, lines: list[CloudLine]) -> int:
    return pool(quota.limit, quota.extra, (each for each in lines if each.quota == quota.id))


def _own(totals: Totals) -> tuple[int, int, int, int]:
    return (totals.granted, totals.returned, totals.sold, totals.cancelled)
