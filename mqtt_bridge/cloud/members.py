"""Which reconcilers are there, and who of them listens to which device.

Every member counts its own heartbeats in a row; the others watch that number grow by their own clock, so clocks need not
agree. Who listens is decided by rendezvous hashing: all members come to the same answer, and when one goes only its devices move.
It spares work and nothing else: two that listen to one device harm nothing, and what nobody heard is sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import NamedTuple

from mqtt_bridge.cloud.records import Member
from mqtt_bridge.cloud.rows import Rows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol import topics

# A member whose number stands still for so long is gone (its devices move), and for so long is forgotten.
GONE_AFTER_MS = 3_000
FORGOTTEN_AFTER_MS = 60_000


def owner(subject: str, members: Collection[str]) -> str:
    """The member that looks after a device or quota: the one with the highest hash of both names."""
    return max(members, key=lambda each: (_weight(each, subject), each))


def _weight(member: str, subject: str) -> bytes:
    return hashlib.blake2b(f"{member} {subject}".encode(), digest_size=8).digest()


class _Seen(NamedTuple):
    """A member's number, when we first saw it, and whether we ever saw it grow."""

    beat: int
    at_ms: int
    grows: bool


class Membership:
    """One member's view of the others."""

    def __init__(self, me: str) -> None:
        self.me = me
        self.live: tuple[str, ...] = (me,)
        self._seen: dict[str, _Seen] = {}
        self._looked = False

    @property
    def first(self) -> bool:
        """Whether this member does what needs to be done once only."""
        return self.live[0] == self.me

    @property
    def alone(self) -> bool:
        """Whether there is nobody else."""
        return self.live == (self.me,)

    def mine(self, subject: str) -> bool:
        """Whether this member looks after a device or quota."""
        return self.alone or owner(subject, self.live) == self.me

    def beat(self, rows: Rows, now_ms: int) -> None:
        """Show that we are here, and look who else is; ``now_ms`` is of a clock that only grows."""
        work = Work(rows)
        members = work.of(Member)
        found = {each.id: each for each in members.fetch_all()}
        mine = found.pop(self.me, None)
        if mine is None:
            members.add(Member(self.me, 1))
        else:
            members.change(mine, beat=mine.beat + 1)
        self._watch(found.values(), now_ms)
        for gone in [each for each in found.values() if self._silent_ms(each.id, now_ms) > FORGOTTEN_AFTER_MS]:
            members.remove(gone)
        work.write()
        live = [each for each in found if self._silent_ms(each, now_ms) < GONE_AFTER_MS and self._seen[each].grows]
        self.live = tuple(sorted([self.me, *live]))

    def leave(self, rows: Rows) -> None:
        """Say goodbye, so that the others need not wait."""
        work = Work(rows)
        mine = work.of(Member).get(self.me)
        if mine is not None:
            work.of(Member).remove(mine)
            work.write()

    def _watch(self, members: Iterable[Member], now_ms: int) -> None:
        seen: dict[str, _Seen] = {}
        for each in members:
            before = self._seen.get(each.id)
            if before is not None and before.beat == each.beat:
                seen[each.id] = before
            else:  # who was here before us is alive or long dead: only the next look tells
                seen[each.id] = _Seen(each.beat, now_ms, grows=before is not None or self._looked)
        self._seen, self._looked = seen, True

    def _silent_ms(self, member: str, now_ms: int) -> int:
        return now_ms - self._seen[member].at_ms


def filters(org: str, membership: Membership, devices: Iterable[str]) -> frozenset[str]:
    """What to subscribe to: everything where we are alone, else our devices; the first also hears strangers' hellos."""
    if membership.alone:
        return frozenset({topics.up(org, "+", "+")})
    mine = {topics.up(org, name, "+") for name in devices if membership.mine(name)}
    return frozenset(mine | ({topics.up(org, "+", "hello")} if membership.first else set()))
