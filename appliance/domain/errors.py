"""What the box office may answer instead of doing what was asked; each says what to do next."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer, not a failure: nothing changed. ``problem`` is the slug of the problem type, ``status`` its HTTP status.

    ``detail`` is a sentence for people that says what to do; ``facts`` are JSON-able extras for programs.
    """

    problem = "invalid"
    status = 422

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts: dict[str, Any] = facts


class SoldOut(Refusal):
    """No ticket of this quota is left anywhere, as far as this device knows."""

    problem = "sold-out"
    status = 409


class SoldOutHere(Refusal):
    """This device's allocation cannot meet the hold; facts: ``quota``, ``available``, ``wanted``."""

    problem = "sold-out-here"
    status = 409


class AskFirst(SoldOutHere):
    """What is short may be requested, once the cloud has been asked for more stock in vain."""


class HoldExpired(Refusal):
    """The hold was given back and cannot be confirmed any more."""

    problem = "hold-expired"
    status = 410


class SaleClosed(Refusal):
    """This ticket type is not on sale now."""

    problem = "sale-closed"
    status = 409


class LimitReached(Refusal):
    """One client asks for more than its share; facts: ``limit``, ``most`` where it is a number, ``retry_after_s`` when waiting helps."""

    problem = "limit-reached"
    status = 409

    def __init__(self, detail: str, limit: str, retry_after_s: int | None = None, **facts: Any) -> None:
        super().__init__(detail, limit=limit, **facts)
        if retry_after_s is not None:
            self.status = 429
            self.facts["retry_after_s"] = retry_after_s


class DiskFull(Refusal):
    """So little room is left on the disk that nothing new is promised; the rest is for what was promised already."""

    problem = "disk-full"
    status = 503


class KeyReused(Refusal):
    """The idempotency key was used before with another body."""

    problem = "key-reused"
    status = 422


class Invalid(Refusal):
    """A value does not fit; facts: ``field``, and the number that decided it where there is one."""

    problem = "invalid"
    status = 422

    def __init__(self, detail: str, field: str, **facts: Any) -> None:
        super().__init__(detail, field=field, **facts)


class AlreadyAdmitted(Refusal):
    """A ticket of this order was used at the door, so the order can no longer be cancelled."""

    problem = "already-admitted"
    status = 409


class Unauthorised(Refusal):
    """The caller did not prove who they are (401)."""

    problem = "unauthorised"
    status = 401


class NotFound(Refusal):
    """There is no such thing, or the caller has no right to know."""

    problem = "not-found"
    status = 404
