"""A device's card: its rows in dictionaries. It commits or it does not, can be full, copied, and put back from a copy."""

from __future__ import annotations

from typing import Any, NamedTuple

from appliance.domain.booking import HoldState, OrderStatus
from appliance.domain.inventory import Shelf
from mqtt_bridge.journal import Journal, Table
from mqtt_bridge.mailbox.memory import MemoryMail
from mqtt_bridge.protocol.messages import Began


class DeviceRow(NamedTuple):
    """The one row about the device."""

    inc: str
    bound_to: str
    frozen: bool = False
    door: bool = False
    state_revision: int = 0
    link_up: bool = False
    generation: int = 0
    began: Began = ""


class Item(NamedTuple):
    """So many tickets of a quota that a hold claims at an epoch."""

    quota: str
    epoch: int
    quantity: int


class Hold(NamedTuple):
    """A claim on stock."""

    id: str
    items: tuple[Item, ...]
    state: HoldState
    boot_id: str
    expires_boot_ms: int
    life_ms: int
    order: str | None = None


class Order(NamedTuple):
    """A booking, sold here or elsewhere."""

    id: str
    issuer: str
    status: OrderStatus
    tickets: tuple[str, ...]


class Ticket(NamedTuple):
    """One admission."""

    id: str
    order: str
    issuer: str
    quota: str
    epoch: int
    event_session: str
    voided: bool = False
    counted_cancelled: bool = False
    checked_in: bool = False


class DiskFull(OSError):
    """The card takes no more."""


class Card:
    """Everything a device keeps. Values are immutable, so a copy of the dictionaries is a copy of the card."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.mail = MemoryMail(self.journal)
        self.device: Table[int, DeviceRow] = Table(self.journal)
        self.shelves: Table[tuple[str, int], Shelf] = Table(self.journal)
        self.holds: Table[str, Hold] = Table(self.journal)
        self.open_holds: Table[str, Hold] = Table(self.journal)
        self.orders: Table[str, Order] = Table(self.journal)
        self.tickets: Table[str, Ticket] = Table(self.journal)
        self.applied: Table[tuple[str, int], int] = Table(self.journal)
        self.full = False

    def copy(self) -> Card:
        """Return the card as of its last commit."""
        twin = Card()
        twin.mail = self.mail.copy(twin.journal)
        for mine, other in zip(self._tables(), twin._tables(), strict=True):
            other.rows.update(mine.rows)
        return twin

    def _tables(self) -> tuple[Table[Any, Any], ...]:
        return (self.device, self.shelves, self.holds, self.open_holds, self.orders, self.tickets, self.applied)

    @property
    def row(self) -> DeviceRow:
        """The device row."""
        return self.device.rows[0]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return self.mail.size + sum(len(each.rows) for each in self._tables())

    def unsold(self, quota: str) -> int:
        """Tickets that could still be sold from the current epoch."""
        return sum(each.totals.unsold for each in self.shelves.rows.values() if each.quota == quota and each.current)
