"""Photos of guests: how soon one has to be taken, and how long it is kept. Asked for with the guest's consent only."""

from __future__ import annotations

from typing import Literal

from appliance.domain.clock import HOUR_MS, MINUTE_MS, Now

State = Literal["wanted", "taken", "failed"]
Reason = Literal["", "too_late", "no_picture", "unusable", "no_desk"]

# Later somebody else stands before the camera.
WANTED_MS = MINUTE_MS
# How often a running device writes down how much of a photo's life is over.
COUNTED_MS = 10 * MINUTE_MS


def is_late(now: Now, boot_id: str, asked_boot_ms: int) -> bool:
    """Return whether a photo asked for then is not to be taken any more; a restart ends every wish."""
    return now.boot_id != boot_id or now.boot_ms - asked_boot_ms > WANTED_MS


def life_ms(now: Now, hours: int, ends_at_ms: int) -> int:
    """Return how long a photo taken now is kept: ``hours`` after its session's end or, if that is later, after now.

    With an untrusted clock nobody knows how far the end is, so it is the hours alone.
    """
    until_end_ms = max(0, ends_at_ms - now.wall_ms) if now.trusted else 0
    return until_end_ms + hours * HOUR_MS


def left_ms(now: Now, left_before_ms: int, boot_id: str, boot_ms: int) -> int:
    """Return what is left of a life of which ``left_before_ms`` were left at that boot-time.

    Of time between two boots the device knows nothing, so it does not count here; a trusted clock counts it.
    """
    return left_before_ms - (now.boot_ms - boot_ms if now.boot_id == boot_id else 0)
