"""What everybody is told, told once: catalogue and keys go out when this broker does not have them yet."""

from __future__ import annotations

from collections.abc import Callable

from mqtt_bridge.cloud import publish
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.records import Cloud
from mqtt_bridge.cloud.rows import Rows, Store
from mqtt_bridge.cloud.telling import Publication
from mqtt_bridge.cloud.work import Work

Current = tuple[int, int]  # versions of the catalogue and of the keys


class News:
    """What the broker has of it; ``leaves`` hands one publication to the network and tells whether it left."""

    def __init__(
        self,
        store: Store,
        org: str,
        catalogues: Catalogues,
        leaves: Callable[[str, bytes, bool], bool],
        ticks_ms: Callable[[], int],
    ) -> None:
        self._store, self._org, self._catalogues, self._leaves, self._ticks_ms = (
            store,
            org,
            catalogues,
            leaves,
            ticks_ms,
        )
        self._published: Current | None = None
        self._keys_at_ms = 0
        self._keys_bytes = 0

    def again(self) -> None:
        """Take nothing for known any more."""
        self._published = None

    @property
    def keys_due(self) -> bool:
        """Whether changed keys may be told between two ticks: the larger their directory, the rarer."""
        return self._ticks_ms() - self._keys_at_ms >= self._keys_bytes // 100

    def tell(self) -> None:
        """Publish what this broker does not have yet; a door needs a new key for the first ticket it signs."""
        current, publications = self._store.look(self._read)
        if publications:
            self._keys_at_ms, self._keys_bytes = self._ticks_ms(), len(publications[-1].payload)
        left = [self._leaves(*each) for each in publications]  # all of them, also after one that did not leave
        if all(left):
            self._published = current

    def _read(self, rows: Rows) -> tuple[Current, list[Publication]]:
        work = Work(rows)
        cloud = work.of(Cloud).get(1)
        current = (cloud.catalogue_version, cloud.keys_revision) if cloud is not None else (0, 0)
        if current == self._published:
            return current, []
        known = self._published or (-1, -1)
        keys = [publish.keys(work, self._org)] if known[1] != current[1] else []
        if known[0] == current[0]:
            return current, keys
        return current, [*publish.catalogue(work, self._org, self._catalogues.of(work)), *keys]
