"""Who of a waitlist is due: one pure rule, the same at every device and in the cloud.

**Order.** A device numbers its entries as people join. The cloud puts all entries of a quota into one line in the order it
received them; a device's messages arrive in order, so each device finds its own entries in that line in its own order. No clock
decides: one that is wrong could jump the queue. What the cloud does not know yet stands at the end.

**Groups.** An entry gets all its tickets at once or none. One that is larger than what is free is *unmet*: others may have what it
cannot use, those behind it first and people from outside the line last, but in all no more tickets than it wants itself
(``passed``). After that everything that comes free is saved for it. With W tickets wanted before it, an entry of n tickets is
therefore offered its tickets at the latest when W + 2n have come free. Stock that was saved in vain for ``SAVING_MS`` opens another
*round*: as many tickets may pass again. Each round saves twice as long as the one before, so that no ticket lies idle for good,
and no group waits for good while tickets still come free. One phone that asks for many tickets thus keeps none from others until
as many have gone by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import InLine

State = Literal["waiting", "offered", "taken", "lapsed", "left", "closed"]
Event = Literal["offer", "withdraw", "take", "lapse", "leave", "close"]

# Open entries that a device takes per quota, and that the cloud tells of one quota.
MOST_PER_QUOTA = 200
SAVING_MS = 10 * 60 * 1000
LONGEST_SAVING_MS = 24 * 60 * 60 * 1000

OPEN: tuple[State, ...] = ("waiting", "offered")

# ``withdraw``: the device lost the stock behind its offer (a new life, an epoch fenced off), which is not the guest's doing.
# States without a way out are final: who was late joins again, at the end.
NEXT: dict[tuple[State, Event], State] = {
    ("waiting", "offer"): "offered",
    ("waiting", "leave"): "left",
    ("waiting", "close"): "closed",
    ("offered", "withdraw"): "waiting",
    ("offered", "take"): "taken",
    ("offered", "lapse"): "lapsed",
    ("offered", "leave"): "left",
    ("offered", "close"): "closed",
}


def next_state(state: State, event: Event) -> State:
    """Return the state of an entry after ``event``; raises ``ProtocolError`` where the table has no such move."""
    after = NEXT.get((state, event))
    if after is None:
        msg = f"a waitlist entry that is {state} cannot {event}"
        raise ProtocolError(msg)
    return after


def entry_of(order: str, quota: str) -> str:
    """Return the id of the entry that an operator made for the holder of an order; whoever knows the order's id knows it too."""
    return ids.secret(hashlib.sha256(f"waitlist {order} {quota}".encode()).digest()[: ids.SECRET_BYTES])


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry in line, not yet offered.

    ``id`` names it (empty where only the cloud knows it), ``here`` says that this side makes its offer, ``reachable`` that
    stock of this side can get to it now; ``passed`` tickets went by it in this round, the ``rounds``-th after the first.
    """

    id: str
    quantity: int
    here: bool = True
    reachable: bool = True
    rounds: int = 0
    passed: int = 0

    @property
    def room(self) -> int:
        """Tickets that may still go by in this round."""
        return max(0, self.quantity - self.passed)


@dataclass(frozen=True, slots=True)
class Served:
    """What ``serve`` decided.

    ``offers`` are due here, in order; ``aside`` tickets are due elsewhere. ``unmet`` stand in line as they now are (their
    ``passed`` counted up), and ``saved`` tickets lie here for them. ``spare`` is what people outside the line may take.
    """

    offers: tuple[Waiting, ...] = ()
    aside: int = 0
    unmet: tuple[Waiting, ...] = ()
    saved: int = 0
    spare: int = 0


@dataclass
class _Serving:
    free: int
    aside: int = 0
    offers: list[Waiting] = field(default_factory=list)
    unmet: list[Waiting] = field(default_factory=list)

    def may_pass(self, quantity: int) -> bool:
        return all(quantity <= each.room for each in self.unmet)

    def take(self, entry: Waiting) -> None:
        self.free -= entry.quantity
        self.unmet = walked_past(self.unmet, entry.quantity)
        if entry.here:
            self.offers.append(entry)
        else:
            self.aside += entry.quantity


def serve(line: Iterable[Waiting], free: int) -> Served:
    """Decide who gets the ``free`` tickets; ``line`` is in order."""
    now = _Serving(max(0, free))
    for entry in line:
        if not entry.reachable:
            continue
        if entry.quantity <= now.free and now.may_pass(entry.quantity):
            now.take(entry)
        else:
            now.unmet.append(entry)
    spare = min([now.free, *(each.room for each in now.unmet)])
    return Served(tuple(now.offers), now.aside, tuple(now.unmet), now.free - spare, spare)


def walked_past(unmet: Iterable[Waiting], quantity: int) -> list[Waiting]:
    """Return the unmet entries after ``quantity`` tickets went by them."""
    return [replace(each, passed=each.passed + quantity) for each in unmet]


def gone_by(line: Iterable[Waiting], served: Served) -> list[Waiting]:
    """Return the unmet entries of this side with what really went by them counted: the offers that this side makes.

    What is put aside goes by when it is offered elsewhere; the cloud counts that, once, and tells it.
    """
    offered, unmet = {each.id for each in served.offers}, {each.id for each in served.unmet if each.here}
    waiting: list[Waiting] = []
    for entry in line:
        if entry.here and entry.id in offered:
            waiting = walked_past(waiting, entry.quantity)
        elif entry.here and entry.id in unmet:
            waiting.append(entry)
    return waiting


def saving_ms(rounds: int) -> int:
    """How long stock is saved in vain before the round after ``rounds`` begins."""
    return min(SAVING_MS << min(rounds, 30), LONGEST_SAVING_MS)


def next_round(unmet: Iterable[Waiting]) -> list[Waiting]:
    """Return the unmet entries at the beginning of another round."""
    return [replace(each, rounds=each.rounds + 1, passed=0) for each in unmet]


def merged(own: Mapping[int, Waiting], told: Iterable[InLine], *, linked: bool) -> list[Waiting]:
    """Return the line as a device sees it: the cloud's line, then its own entries (by number) that the cloud does not know.

    What is known of an own entry here and there is merged by the later round, then by the more that passed. While the link is
    down no stock of this device can get to entries elsewhere, so they keep their places and are not waited for.
    """
    line: list[Waiting] = []
    seen: set[int] = set()
    for each in told:
        if each.number == 0:
            line.append(Waiting("", each.quantity, False, linked and each.reachable, each.rounds, each.passed))
        elif (entry := own.get(each.number)) is not None and each.number not in seen:
            seen.add(each.number)
            rounds, passed = max((entry.rounds, entry.passed), (each.rounds, each.passed))
            line.append(replace(entry, rounds=rounds, passed=passed))
    return line + [own[number] for number in sorted(own) if number not in seen]
