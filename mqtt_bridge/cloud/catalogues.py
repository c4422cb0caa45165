"""Catalogues by version, decoded once per process."""

from __future__ import annotations

from mqtt_bridge.cloud.records import CatalogueVersion, Cloud
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import EMPTY, Catalogue
from mqtt_bridge.protocol.codec import decode


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
