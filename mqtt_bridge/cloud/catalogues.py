"""Catalogues by version, decoded once per process, and what one says of where sessions are."""

from __future__ import annotations

from functools import cached_property

import structlog

from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.records import CatalogueVersion, Cloud
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import EMPTY, Catalogue
from mqtt_bridge.protocol.codec import decode

log = structlog.get_logger("marquee.reconciler")


class Catalogues:
    """Remembers the catalogue that was current last."""

    def __init__(self) -> None:
        self._known: dict[int, Catalogue] = {0: EMPTY}

    def of(self, work: Work) -> Catalogue:
        """The current catalogue of a working set."""
        cloud = work.of(Cloud).get(1)
        version = 0 if cloud is None else cloud.catalogue_version
        if version not in self._known:
            found = work.of(CatalogueVersion).get(version)
            if found is None:
                return EMPTY
            self._known = {0: EMPTY, version: decode(found.document, Catalogue)}
        return self._known[version]


class Hosts:
    """Who hosts a session, as of one transaction; sessions that no catalogue names are listed."""

    def __init__(self, work: Work, catalogues: Catalogues, wall_ms: int) -> None:
        self._work = work
        self._catalogues = catalogues
        self._wall_ms = wall_ms

    @cached_property
    def catalogue(self) -> Catalogue:
        """What is on sale."""
        return self._catalogues.of(self._work)

    def venue_of(self, event_session: str) -> str | None:
        """Return the id of the venue."""
        found = self.catalogue.venue_of(event_session)
        if found is not None:
            return found
        log.warning("alarm", kind="unknown-session", subject=event_session[:64])
        detail = "tickets were sold for a session that no catalogue names"
        raise_alarm(self._work, "unknown-session", event_session[:64], detail, self._wall_ms)
        return None
