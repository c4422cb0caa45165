"""What operators look at, and what is counted."""

from __future__ import annotations

from typing import ClassVar

from mqtt_bridge.cloud.records.base import Record


class Alarm(Record, frozen=True):
    """Something for a person to look at."""

    TABLE: ClassVar[str] = "alarm"
    KEY: ClassVar[tuple[str, ...]] = ("kind", "subject")

    kind: str
    subject: str
    detail: str
    evidence: bytes | None
    count: int
    first_at_ms: int
    last_at_ms: int


class Conversion(Record, frozen=True):
    """How many phones reached a stage, as one device counted them."""

    TABLE: ClassVar[str] = "conversion"
    KEY: ClassVar[tuple[str, ...]] = ("device", "event", "experiment", "variant", "stage")

    device: str
    event: str
    experiment: str
    variant: str
    stage: str
    phones: int
    counted_at_ms: int
