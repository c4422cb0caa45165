"""What is sent to a guest's telephone, and what may become of it. Nothing is ever sent that nobody asked for.

queued -> sending -> sent        the network took it
                     queued      certainly not sent: tried again later, a few times
                     failed      certainly not sent, and not tried again
                     ambiguous   it may have been sent: only a person decides, by `resolve`
"""

from __future__ import annotations

import re
from typing import Literal

from appliance.domain.clock import MINUTE_MS, SECOND_MS
from appliance.domain.errors import Invalid

State = Literal["queued", "sending", "sent", "failed", "ambiguous"]
Decision = Literal["arrived", "again", "leave"]

# Waits before the second, third ... attempt; afterwards it has failed.
RETRY_MS = (30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS)
_TRANSITIONS: dict[State, frozenset[State]] = {
    "queued": frozenset({"sending", "failed", "ambiguous"}),
    "sending": frozenset({"sent", "queued", "failed", "ambiguous"}),
    "sent": frozenset(),
    "failed": frozenset({"queued"}),
    "ambiguous": frozenset({"sent", "queued", "failed"}),
}
_DECISIONS: dict[Decision, State] = {"arrived": "sent", "again": "queued", "leave": "failed"}
_SEPARATORS = re.compile(r"[\s()/.\u2010-\u2015-]+")
# Shorter ones are services, and what they cost or do nobody knows.
_NUMBER = re.compile(r"\+?[0-9]{7,15}")


def move(state: State, after: State) -> State:
    """Return ``after`` if a message may go there from ``state``; raises ``Invalid`` with words for staff."""
    if after not in _TRANSITIONS[state]:
        msg = f"This message is {state}: it cannot become {after}."
        raise Invalid(msg, field="message")
    return after


def decided(state: State, decision: Decision) -> State:
    """Return the state that a person's decision leads to; raises ``Invalid`` where there is nothing to decide."""
    if state not in {"ambiguous", "failed"}:
        msg = f"This message is {state}: there is nothing to decide."
        raise Invalid(msg, field="message")
    return move(state, _DECISIONS[decision])


def retry_after_ms(attempts: int) -> int | None:
    """Return the wait after so many attempts that certainly sent nothing; None when enough were made."""
    return RETRY_MS[attempts - 1] if 0 < attempts <= len(RETRY_MS) else None


def number_of(contact: str) -> str | None:
    """Return the telephone number that somebody wrote, without its spaces and dashes; None if it is none."""
    tidy = _SEPARATORS.sub("", contact)
    return tidy if _NUMBER.fullmatch(tidy) else None
