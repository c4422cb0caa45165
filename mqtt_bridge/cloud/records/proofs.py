"""What pending orders have to prove, and the mails it takes."""

from __future__ import annotations

from typing import ClassVar, Literal

from mqtt_bridge.cloud.records.base import Record

# What can be said of a verification; ``verdicts`` has who says it and what becomes of it.
Word = Literal[
    "wanted",
    "code",
    "link",
    "proven",
    "good",
    "bad",
    "unknown",
    "ask",
    "approve",
    "refuse",
    "confirmed",
    "ended",
    "sent",
    "undeliverable",
]


class Verification(Record, frozen=True):
    """What an order that is or was pending has to prove; see ``tables``. Only ``verdicts`` changes it."""

    TABLE: ClassVar[str] = "verification"
    KEY: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: str
    device: str
    verify: str
    channel: str
    language: str
    state: str
    waits_for: str
    news: str
    proven: bool
    private: bytes | None
    salt: str
    digest: str
    tries_left: int
    codes: int
    code_at_ms: int
    link_digest: str
    standing_due_ms: int
    standing_tries: int
    refusal: str
    decided_by: str
    received_at_ms: int
    decided_at_ms: int | None


class VerificationWord(Record, frozen=True):
    """What somebody said of a verification: a device, an operator, or a job of the verifier's own."""

    TABLE: ClassVar[str] = "verification_word"
    SERIAL: ClassVar[str | None] = "id"

    order_id: str
    word: Word
    detail: str
    private: bytes | None
    at_ms: int
    id: int


class Mail(Record, frozen=True):
    """A mail to a guest that waits, is under way or is over; see ``tables``."""

    TABLE: ClassVar[str] = "mail"
    SERIAL: ClassVar[str | None] = "id"

    order_id: str
    kind: str
    state: str
    reason: str
    attempts: int
    contact_digest: str
    private: bytes | None
    due_at_ms: int
    created_at_ms: int
    changed_at_ms: int
    id: int
