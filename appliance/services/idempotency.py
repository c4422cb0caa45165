"""One answer per key: a repeated write gets the first 2xx answer again instead of happening twice."""

from __future__ import annotations

from collections.abc import Callable

from appliance.domain.clock import DAY_MS, HOUR_MS
from appliance.domain.errors import Invalid, KeyReused
from appliance.services import rates
from appliance.services.box import Unit
from appliance.store import records

KEEP_AFTER_EVENT_MS = 30 * DAY_MS
LONGEST_KEY = 200
KEYS_PER_THING = 20
MOST_TURNS = 50


def once(
    unit: Unit, scope: str, key: str, fingerprint: str, action: Callable[[], tuple[int, bytes]], *, about: str = ""
) -> tuple[int, bytes, bool]:
    """Return (status, answer, replayed); ``action`` runs in the same transaction that remembers its answer.

    ``scope`` is whose key it is (a client or a badge), ``fingerprint`` a hash of the request. Raises ``KeyReused`` for
    another request under a known key. Only 2xx answers are remembered, until 30 days after the last event.

    ``about`` is the hold or order a guest acts on. Repeating what changes nothing under ever new keys would fill the disk, so
    one thing gets ``KEYS_PER_THING`` keys an hour (``LimitReached``).
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
    if about:
        words = "This was asked very often with different keys. Send the first request again, with its own key."
        rates.check(unit, "keys_per_thing", about, KEYS_PER_THING, HOUR_MS, words)
    status, answer = action()
    if 200 <= status < 300:
        if about:
            rates.count(unit, "keys_per_thing", about, HOUR_MS)
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


def once_while(
    unit: Unit,
    scope: str,
    key: str,
    fingerprint: str,
    action: Callable[[], tuple[int, bytes]],
    *,
    lasts: Callable[[bytes], bool],
) -> tuple[int, bytes, bool]:
    """Like ``once``, but a key whose answer does not last any more begins anew, ``MOST_TURNS`` times.

    For keys that a page gives out, which a cache may show again long after what was made under them is over.
    """
    found = once(unit, scope, key, fingerprint, action)
    for turn in range(1, MOST_TURNS):
        if not found[2] or lasts(found[1]):
            break
        found = once(unit, scope, f"{key}.{turn}", fingerprint, action)
    return found


def _keep_until_ms(unit: Unit) -> int:
    # The last session of the catalogue is never earlier than the event the answer was about.
    ends = (at.ends_at_ms for event in unit.catalogue.events for at in event.sessions)
    return max([unit.now.wall_ms, *ends]) + KEEP_AFTER_EVENT_MS
