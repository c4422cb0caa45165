"""What everybody is told: the catalogue, its images and the keys. All retained and complete, so the broker may forget it."""

from __future__ import annotations

from collections.abc import Iterator

from mqtt_bridge.cloud.introductions import key_directory
from mqtt_bridge.cloud.records import Asset
from mqtt_bridge.cloud.telling import Publication
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import encode


def catalogue(work: Work, org: str, current: Catalogue) -> Iterator[Publication]:
    """Yield the images, then the catalogue that names them."""
    named = sorted(current.images)
    work.of(Asset).fetch("sha256", named)
    for sha256 in named:
        asset = work.of(Asset).get(sha256)
        if asset is not None:
            body = asset.media_type.encode() + b"\n" + asset.body
            yield Publication(topics.everyone(org, f"asset/{sha256}"), body)
    if current.version:
        yield Publication(topics.everyone(org, "catalogue"), encode(current))


def keys(work: Work, org: str) -> Publication:
    """Return the directory of devices and public keys."""
    return Publication(topics.everyone(org, "keys"), encode(key_directory(work)))
