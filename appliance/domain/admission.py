"""May this person come in, or go out? A pure decision over facts; the scan is recorded whatever comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.domain.clock import HOUR_MS, Now
from mqtt_bridge.protocol.catalogue import EventSession
from mqtt_bridge.protocol.messages import ExitVerdict, Reason, Verdict

OPENS_BEFORE_START_MS = 3 * HOUR_MS
CLOSES_AFTER_END_MS = HOUR_MS

Way = Literal["in", "out"]
Proof = Literal["unknown", "known", "unknown_issuer", "bad_signature"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the door knows about the code it read.

    ``proof``: nothing found, a ticket known here or proven by signature, or a receipt that proves nothing.
    ``door_open``: the ticket's session is hosted here and its door is open. ``called_off``: its session does not take place.
    ``admitted``: somebody came in on it, and with ``outside`` went out since. ``hosted``: this is the door of its session.
    """

    proof: Proof
    door_open: bool = False
    called_off: bool = False
    status: str = "confirmed"
    voided: bool = False
    paid: bool = False
    admitted: bool = False
    outside: bool = False
    re_entry: bool = False
    hosted: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, with its reason when it is ``refused``."""

    verdict: Verdict | ExitVerdict
    reason: Reason | None = None


def decide(facts: Facts) -> Decision:
    """Return the verdict: the first rule that applies, in the order a person at the door would ask."""
    reason = _refusal(facts)
    if reason is not None:
        return Decision("refused", reason)
    if facts.admitted and not facts.outside:
        return Decision("already_admitted")
    if facts.admitted and not facts.re_entry:
        return Decision("refused", "no_re_entry")
    if not facts.paid:
        return Decision("refused", "unpaid")
    return Decision("admitted")


def decide_exit(facts: Facts) -> Decision:
    """Return what becomes of a scan on the way out: whoever is inside may leave, whatever happened to the ticket meanwhile."""
    if facts.proof != "known":
        return Decision("refused", facts.proof)
    if not facts.hosted:
        return Decision("refused", "wrong_session")
    if not facts.admitted or facts.outside:
        return Decision("refused", "not_inside")
    return Decision("left")


def _refusal(facts: Facts) -> Reason | None:
    if facts.proof != "known":
        return facts.proof
    if facts.called_off:
        return "cancelled"
    if not facts.door_open:
        return "wrong_session"
    if facts.status == "refused":
        return "refused"
    if facts.voided or facts.status == "cancelled":
        return "cancelled"
    blocked: dict[str, Reason] = {"requested": "requested", "pending": "pending"}
    return blocked.get(facts.status)


def door_open(at: EventSession, now: Now, switch: str | None) -> bool:
    """Return whether the door of ``at`` admits now: staff's switch wins, else three hours before until one hour after.

    With an untrusted clock only the switch opens it; nothing opens the door of a cancelled session.
    """
    if at.cancelled:
        return False
    if switch is not None:
        return switch == "open"
    if not now.trusted:
        return False
    return at.starts_at_ms - OPENS_BEFORE_START_MS <= now.wall_ms < at.ends_at_ms + CLOSES_AFTER_END_MS


_REFUSED: dict[str, str] = {
    "unknown": "Not a ticket we know. Check the code, or look the order up.",
    "wrong_session": "This ticket is for another place or time.",
    "cancelled": "This ticket was cancelled.",
    "unpaid": "Not paid yet.",
    "requested": "Only requested so far, not confirmed.",
    "pending": "Not verified yet. The code that was sent proves it, or you do: look at what they show.",
    "refused": "This order was refused.",
    "unknown_issuer": "Signed by a box office this door does not know yet. It may be genuine: look the order up.",
    "bad_signature": "The signature is wrong. This is not a genuine ticket.",
    "no_re_entry": "Went out, and nobody comes in twice on this date.",
    "not_inside": "Nobody is inside on this ticket.",
}


def words(decision: Decision) -> str:
    """Return the verdict as a sentence for the person at the door."""
    if decision.verdict == "admitted":
        return "Welcome. Admitted."
    if decision.verdict == "already_admitted":
        return "Already admitted."
    if decision.verdict == "left":
        return "Out. Goodbye."
    return _REFUSED[decision.reason or "unknown"]
