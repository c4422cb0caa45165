"""What is on, as imported and as operators changed it."""

from __future__ import annotations

from typing import ClassVar

from mqtt_bridge.cloud.records.base import Record


class CatalogueVersion(Record, frozen=True):
    """A catalogue as it was imported."""

    TABLE: ClassVar[str] = "catalogue"
    KEY: ClassVar[tuple[str, ...]] = ("version",)

    version: int
    document: bytes


class Asset(Record, frozen=True):
    """An image of the catalogue."""

    TABLE: ClassVar[str] = "asset"
    KEY: ClassVar[tuple[str, ...]] = ("sha256",)

    sha256: str
    media_type: str
    body: bytes


class SessionChange(Record, frozen=True):
    """A session that an operator cancelled or moved."""

    TABLE: ClassVar[str] = "session_change"
    KEY: ClassVar[tuple[str, ...]] = ("event_session",)

    event_session: str
    cancelled: bool
    notice: str
    document: bytes | None
    changed_at_ms: int
    changed_by: str
