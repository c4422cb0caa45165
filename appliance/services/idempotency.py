"""One answer per key: a repeated write gets the first 2xx answer again instead of happening twice."""

from __future__ import annotations

from collections.abc import Callable

from appliance.domain.clock import DAY_MS
from appliance.domain.errors import Invalid, KeyReused
from appliance.services.box import Unit
from appliance.store import records

KEEP_AFTER_EVENT_MS = 30 * DAY_MS
LONGEST_KEY = 200


def once(
    unit: Unit, scope: str, key: str, fingerprint: str, action: Callable[[], tuple[int, bytes]]
) -> tuple[int, bytes, bool]:
    """Return (status, answer, replayed); ``action`` runs in the same transaction that remembers its answer.

    ``scope`` is whose key it is (a client or a badge), ``fingerprint`` a hash of the request. Raises ``KeyReused`` for
    another request under a known key. Only 2xx answers are remembered, until 30 days after the last event.
    """
    if not 1 <= len(key) <= LONGEST_KEY:
        msg = f"An idempotency key has 1 to {LONGEST_KEY} characters."
        raise Invalid(msg, field="Idempotency-Key")
    known = records.find_reply(unit.db, scope, key)
    if known is not None:
        if known.fingerprint != fingerprint:
            msg = "This idempotency key was already used for another request. Use a new one."
            raise KeyReused(msg)
        return known.status, known.answer, True
    status, answer = action()
    if 200 <= status < 300:
        records.add_reply(
            unit.db,
            {
                "scope": scope,
                "key": key,
                "fingerprint": fingerprint,
                "status": status,
                "answer": answer,
                "keep_until_ms": _keep_until_ms(unit),
            },
        )
    return status, answer, False


def _keep_until_ms(unit: Unit) -> int:
    # The last session of the catalogue is never earlier than the event the answer was about.
    ends = (at.ends_at_ms for event in unit.catalogue.events for at in event.sessions)
    return max([unit.now.wall_ms, *ends]) + KEEP_AFTER_EVENT_MS
