"""A device's card: its rows in dictionaries. It commits or it does not, can be full, copied, and put back from a copy."""

from __future__ import annotations

from typing import Any, NamedTuple

from appliance.domain.booking import HoldState, OrderStatus
from appliance.domain.inventory import Shelf
from mqtt_bridge.journal import Journal, Table
from mqtt_bridge.mailbox.memory import MemoryMail
from mqtt_bridge.protocol.messages import Began, InLine
from mqtt_bridge.protocol.waitlist import OPEN, State


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
    sealed: bool = False


class Item(NamedTuple):
    """So many tickets of a quota that a hold claims at an epoch."""

    quota: str
    epoch: int
    quantity: int


class Hold(NamedTuple):
    """A claim on stock; ``entry`` is the waitlist entry that it is an offer for."""

    id: str
    items: tuple[Item, ...]
    state: HoldState
    boot_id: str
    expires_boot_ms: int
    life_ms: int
    order: str | None = None
    entry: str | None = None


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


class Waiter(NamedTuple):
    """An entry of the waitlist."""

    id: str
    number: int
    quota: str
    quantity: int
    told_inc: str
    joined_at_ms: int
    state: State = "waiting"
    hold: str | None = None
    rounds: int = 0
    passed: int = 0
    saving_boot_id: str | None = None
    saving_boot_ms: int = 0


class ToldLine(NamedTuple):
    """A quota's line as the cloud told it, and when."""

    line: tuple[InLine, ...]
    longer: int
    boot_id: str
    boot_ms: int


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
        self.waiters: Table[str, Waiter] = Table(self.journal)
        self.open_waiters: Table[str, Waiter] = Table(self.journal)
        self.lines: Table[str, ToldLine] = Table(self.journal)
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
        stock = (self.device, self.shelves, self.holds, self.open_holds, self.orders, self.tickets)
        return (*stock, self.waiters, self.open_waiters, self.lines, self.applied)

    @property
    def row(self) -> DeviceRow:
        """The device row."""
        return self.device.rows[0]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return self.mail.size + sum(len(each.rows) for each in self._tables())

    def put_waiter(self, waiter: Waiter) -> None:
        """Write an entry; those that have not ended are kept at hand."""
        self.waiters.put(waiter.id, waiter)
        if waiter.state in OPEN:
            self.open_waiters.put(waiter.id, waiter)
        else:
            self.open_waiters.drop(waiter.id)

    def unsold(self, quota: str) -> int:
        """Tickets that could still be sold from the current epoch."""
        return sum(each.totals.unsold for each in self.shelves.rows.values() if each.quota == quota and each.current)
