"""Read what a batch needs before it is applied: lock its devices, open its messages, and fetch rows in a few queries.

Only the locks decide anything. What was not read ahead is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mqtt_bridge.cloud import kinds
from mqtt_bridge.cloud.catalogues import Hosts
from mqtt_bridge.cloud.incoming import Incoming
from mqtt_bridge.cloud.introductions import keys_of
from mqtt_bridge.cloud.letterbox import WorkMail
from mqtt_bridge.cloud.opened import Opened, Read
from mqtt_bridge.cloud.records import Applied, Cloud, Device, Early, Key, Life, Line, Stream
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import Content


class ReadAhead:
    """Fills the working set of one batch."""

    def __init__(self, work: Work, mail: WorkMail, opened: Opened, hosts: Hosts) -> None:
        self._work = work
        self._mail = mail
        self._opened = opened
        self._hosts = hosts

    def lock(self, messages: Collection[Incoming], how: Lock) -> None:
        """Lock the devices; ``how`` says what for."""
        names = _names(messages)
        self._work.of(Device).lock("name", names, how)
        self._work.fetch([(Cloud, "id", 1), *_told_under(names)])
        if how is Lock.ALONE:
            self._work.of(Life).fetch("device", names)
            cloud = self._work.of(Cloud).get(1)
            if (
                cloud is not None and cloud.restoring
            ):  # introductions then write what otherwise only whoever grants does
                self._work.of(Line).lock("device", names, Lock.CHANGE)
            else:
                self._work.of(Line).fetch("device", names)

    def read(self, messages: Collection[Incoming], *, needs: bool) -> None:
        """Open the messages; ``needs``: and lock and fetch what the contents of the new ones are about."""
        told = self._believed(messages)
        if not told:
            return
        fresh: list[Content] = []
        known: list[Content] = []
        for each in told:
            (fresh if each.seq > self._mail.received(each.sender, each.inc) else known).append(each)
        # Those under a number that is taken are compared, and the first of the others says what it follows.
        taken = {(each.sender, each.inc, each.seq) for each in known}
        followed = {
            (each.sender, each.inc, self._mail.received(each.sender, each.inc)) for each in fresh if each.follows
        }
        self._work.of(Applied).fetch_keys(taken | followed)
        if needs:
            self._read_about(fresh)

    def _read_about(self, told: Collection[Content]) -> None:
        stock = {(count.quota, each.sender, count.epoch) for each in told for count in getattr(each.body, "stock", ())}
        self._work.of(Line).lock_keys(stock, Lock.CHANGE)
        kinds.read_ahead(self._work, (each.body for each in told), self._doors(told))

    def _doors(self, told: Iterable[Content]) -> list[Need]:
        """Who may be at the door of the venues that these are about."""
        sessions = {
            ticket.event_session
            for each in told
            for ticket in getattr(each.body, "tickets", ())
            if not isinstance(ticket, str)
        }
        venues = {self._hosts.catalogue.venue_of(each) for each in sessions}
        return [(Device, "venue", venue) for venue in venues if venue is not None]

    def _believed(self, messages: Iterable[Incoming]) -> list[Content]:
        """Open messages; whatever is wrong with one is found again, and listed, when it is applied."""
        keys = {name: keys_of(self._work, name) for name in _names(messages)}
        reads: dict[str, list[tuple[str, Read]]] = {}
        for each in messages:
            if each.leaf == "msg" and (read := self._glance(each)) is not None:
                reads.setdefault(keys[each.name].get(read.envelope.kid, ""), []).append((each.name, read))
        reads.pop("", None)
        for public, found in reads.items():
            self._opened.prove([read for _, read in found], public)
        return [
            read.content
            for public, found in reads.items()
            for name, read in found
            if read.content is not None and read.proven == public and read.content.sender == name
        ]

    def _glance(self, message: Incoming) -> Read | None:
        try:
            return self._opened.read(message.payload)
        except ProtocolError:
            return None


def _told_under(names: Iterable[str]) -> Iterator[Need]:
    """The keys of these devices, and how far each of their lives was heard."""
    for name in names:
        yield Key, "device", name
        yield Stream, "peer", name
        yield Early, "peer", name


def _names(messages: Iterable[Incoming]) -> list[str]:
    return sorted({each.name for each in messages})
