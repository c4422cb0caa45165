"""What the reconciler's rules need of a database: whole records, many at a time. ``sql`` and ``memory`` implement it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar

from mqtt_bridge.cloud.records import Record
from mqtt_bridge.mailbox.rows import Mail, Outgoing
from mqtt_bridge.protocol.messages import Ack

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Lock(Enum):
    """How a row is kept from others until the transaction ends; who only reads waits for nobody."""

    SHARE_KEY = "FOR KEY SHARE"  # may be changed by others, but not by those who hold ALONE
    CHANGE = "FOR NO KEY UPDATE"  # one at a time
    ALONE = "FOR UPDATE"  # nobody else at all


class Figures(NamedTuple):
    """Sums over all allocations of a quota: ``out`` is granted - returned + confirmed, ``unsold`` what devices still own.

    ``asked`` is what open requests wait for.
    """

    quota: str
    out: int
    unsold: int
    asked: int


Question = tuple[type[Record], str, Collection[object]]
"""What to find: kind, column, values."""


class Head(NamedTuple):
    """The first message of a stream that is not acknowledged."""

    peer: str
    inc: str
    seq: int
    created_at_ms: int


class Want(NamedTuple):
    """The first ``room`` unacknowledged messages of a stream after number ``after``."""

    peer: str
    inc: str
    after: int
    room: int


class Outboxes(Protocol):
    """What is said to devices."""

    def heads(self) -> list[Head]:
        """Return where each stream stands that has something unacknowledged, of devices that are linked; a device's oldest first."""
        ...

    def unacked(self, wants: Sequence[Want]) -> list[tuple[str, Outgoing]]:
        """Return (peer, message) for all of these, in their order."""
        ...

    def acknowledge(self, acks: Sequence[tuple[str, Ack]], wall_ms: int) -> None:
        """Mark all messages up to these numbers as committed at their receivers; a number beyond the last one means all."""
        ...

    def owing(self, peers: Collection[str], kind: str) -> set[str]:
        """Return those of these peers that have not acknowledged a message of this kind."""
        ...

    def last_seqs(self, peers: Collection[str], inc: str) -> dict[str, int]:
        """Return the highest number ever given to each of these; whoever gives the next one holds the device's lock."""
        ...

    def post(self, rows: Sequence[tuple[str, Outgoing]]) -> None:
        """Add numbered messages, each to the outbox of a peer."""
        ...


class Rows(Protocol):
    """The rows of one open transaction."""

    @property
    def mail(self) -> Mail:
        """Outbox and inbox, one message at a time."""
        ...

    @property
    def outboxes(self) -> Outboxes:
        """The outboxes of all devices."""
        ...

    def find(self, kind: type[R], columns: tuple[str, ...], values: Collection[tuple[Any, ...]]) -> list[R]:
        """Return the records whose ``columns`` are one of ``values``, in the order of their keys."""
        ...

    def gather(self, questions: Sequence[Question]) -> list[list[Record]]:
        """Answer several such questions in one go."""
        ...

    def lock(self, kind: type[R], columns: tuple[str, ...], values: Collection[tuple[Any, ...]], how: Lock) -> list[R]:
        """Return the same, as of now and locked in that order."""
        ...

    def all(self, kind: type[R]) -> list[R]:
        """Return every record, in the order of their keys."""
        ...

    def after(self, kind: type[R], key: tuple[Any, ...], limit: int) -> list[R]:
        """Return the first ``limit`` records whose key is greater than ``key``."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Write what is inserted, updated and deleted inside in one go; what the database refuses may be raised only at its end."""
        ...

    def insert(self, records: Sequence[Record]) -> None:
        """Add records of one kind, in this order."""
        ...

    def update(self, pairs: Sequence[tuple[R, R]]) -> None:
        """Write what differs between the two versions of each record of one kind; other columns keep what they hold."""
        ...

    def delete(self, records: Sequence[Record]) -> None:
        """Remove records of one kind."""
        ...

    def count(self, kind: type[Record], column: str, value: object) -> int:
        """Return how many records have this value."""
        ...

    def figures(self) -> list[Figures]:
        """Return the sums of every quota that has allocations."""
        ...

    def bump_keys(self) -> None:
        """Have the directory of keys published again: raise its revision."""
        ...

    def untold(self, limit: int) -> list[str]:
        """Return at most ``limit`` devices whose state has to be told soon: ``state_at_ms`` is 0 in a present life."""
        ...

    def addressees(self, limit: int) -> list[str]:
        """Return at most ``limit`` devices with letters to be numbered."""
        ...


class Store(Protocol):
    """A database of such rows."""

    failures: tuple[type[Exception], ...]
    """What the database itself raises; never swallowed as if a message had been wrong."""

    indigestible: tuple[type[Exception], ...]
    """Those of them (or of the driver) that say that a value cannot be stored: repeating does not help."""

    def run(self, change: Callable[[Rows], T]) -> T:
        """Return what ``change`` returned, after COMMIT; repeated when the database asks for it, so it must be repeatable."""
        ...

    def look(self, query: Callable[[Rows], T]) -> T:
        """Return what ``query`` read from one snapshot."""
        ...
