"""What becomes of a pre-enrolment when a word about it arrives: a pure decision. The words, and who says them:

wanted        its device, or a first time by itself: mail a code        code, link    whoever holds its page or its mail
proven        its device sent and tried the code itself                 good, bad, unknown    whoever knows the members
sent, undeliverable    the mail job                                     approve, refuse    an operator
ask           the list of members is a new one
confirmed, ended       its device or its door decided, or its guest left

Once decided it stays so. A wrong code never refuses anybody: staff at the door can still see the proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from mqtt_bridge.cloud.records import Verification, VerificationWord, Word
from mqtt_bridge.protocol import proofs
from mqtt_bridge.protocol.messages import Refusal
from mqtt_bridge.protocol.moments import HOUR_MS

# By the cloud's clock, from the moment it was mailed; long, because a venue may be without a link for days.
CODE_LIFE_MS = 7 * 24 * HOUR_MS
# Waits before whoever knows the members is asked again, the last one ever again.
ASK_AGAIN_MS = (60_000, 5 * 60_000, 30 * 60_000, 2 * HOUR_MS, 6 * HOUR_MS)


@dataclass(frozen=True)
class Step:
    """A verification after a word: what is told everybody (``verdict``), and which mail follows (empty: none)."""

    row: Verification
    verdict: Literal["", "verified", "refused"] = ""
    mail: Literal["", "code", "verified", "refused"] = ""


def step(row: Verification, word: VerificationWord, wall_ms: int) -> Step:
    """Return what a word makes of a verification."""
    if row.state != "waiting":
        return Step(row)
    handler = _WORDS.get(word.word)
    return Step(row) if handler is None else handler(row, word, wall_ms)


def _wanted(row: Verification, word: VerificationWord, _wall_ms: int) -> Step:
    private = word.private if word.private is not None else row.private
    row = replace(row, private=private, channel="mail")
    if row.codes >= proofs.MOST_CODES:
        return Step(replace(row, news="limited"))
    # Counted when it was asked for, so that asking fast makes no more of them; the code itself is made when it is mailed.
    return Step(
        replace(row, codes=row.codes + 1, news="", salt="", digest="", tries_left=0, link_digest=""), mail="code"
    )


def _code(row: Verification, word: VerificationWord, wall_ms: int) -> Step:
    if row.proven:
        return Step(row)
    alive = word.at_ms < row.code_at_ms + CODE_LIFE_MS
    result, kept = proofs.attempt(proofs.Kept(row.salt, row.digest, row.tries_left if alive else 0), word.detail)
    if result == "right":
        return _proven(row, word, wall_ms)
    return Step(replace(row, news=result, tries_left=kept.tries_left, digest=kept.digest))


def _link(row: Verification, word: VerificationWord, wall_ms: int) -> Step:
    alive = word.at_ms < row.code_at_ms + CODE_LIFE_MS
    return _proven(row, word, wall_ms) if alive and not row.proven else Step(row)


def _proven(row: Verification, _word: VerificationWord, wall_ms: int) -> Step:
    row = replace(row, proven=True, news="", salt="", digest="", tries_left=0, link_digest="")
    if row.verify == "contact":
        return _verified(row, "centre", wall_ms)
    return Step(replace(row, waits_for="standing", standing_due_ms=wall_ms))


def _good(row: Verification, _word: VerificationWord, wall_ms: int) -> Step:
    return _verified(row, "centre", wall_ms, mail=row.standing_tries > 0)


def _bad(row: Verification, _word: VerificationWord, wall_ms: int) -> Step:
    return _refused(row, "member", "centre", wall_ms)


def _unknown(row: Verification, _word: VerificationWord, wall_ms: int) -> Step:
    wait_ms = ASK_AGAIN_MS[min(row.standing_tries, len(ASK_AGAIN_MS) - 1)]
    return Step(replace(row, standing_tries=row.standing_tries + 1, standing_due_ms=wall_ms + wait_ms))


def _ask(row: Verification, _word: VerificationWord, wall_ms: int) -> Step:
    return Step(replace(row, standing_due_ms=wall_ms))


def _approve(row: Verification, _word: VerificationWord, wall_ms: int) -> Step:
    return _verified(row, "operator", wall_ms, mail=True)


def _refuse(row: Verification, word: VerificationWord, wall_ms: int) -> Step:
    reason: Refusal = "member" if word.detail == "member" else "late" if word.detail == "late" else "operator"
    return _refused(row, reason, "operator", wall_ms)


def _confirmed(row: Verification, word: VerificationWord, wall_ms: int) -> Step:
    return Step(_over(row, "verified", word.detail, wall_ms))


def _ended(row: Verification, word: VerificationWord, wall_ms: int) -> Step:
    return Step(_over(row, "ended", word.detail, wall_ms))


def _sent(row: Verification, _word: VerificationWord, _wall_ms: int) -> Step:
    return Step(row if row.proven else replace(row, news="sent"))


def _undeliverable(row: Verification, _word: VerificationWord, _wall_ms: int) -> Step:
    return Step(row if row.proven else replace(row, news="undeliverable"))


def _verified(row: Verification, by: str, wall_ms: int, *, mail: bool = False) -> Step:
    """Whoever typed a code sees what came of it; whoever waited longer is written to."""
    return Step(_over(row, "verified", by, wall_ms), "verified", "verified" if mail and row.channel == "mail" else "")


def _refused(row: Verification, reason: Refusal, by: str, wall_ms: int) -> Step:
    over = replace(_over(row, "refused", by, wall_ms), refusal=reason)
    return Step(over, "refused", "refused" if row.channel == "mail" else "")


def _over(row: Verification, state: str, by: str, wall_ms: int) -> Verification:
    forgotten = {"private": None, "salt": "", "digest": "", "tries_left": 0, "link_digest": "", "news": ""}
    return replace(row, state=state, decided_by=by, decided_at_ms=wall_ms, **forgotten)


_WORDS: dict[Word, Callable[[Verification, VerificationWord, int], Step]] = {
    "wanted": _wanted,
    "code": _code,
    "link": _link,
    "proven": _proven,
    "good": _good,
    "bad": _bad,
    "unknown": _unknown,
    "ask": _ask,
    "approve": _approve,
    "refuse": _refuse,
    "confirmed": _confirmed,
    "ended": _ended,
    "sent": _sent,
    "undeliverable": _undeliverable,
}
