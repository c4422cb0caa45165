"""The rules of the edge gateway: what a request needs, and whether a token is good for it. Pure, closed by default.

How long a token lives is boot-time on the device that issued it. Another device cannot measure that, and its clock may be wrong, so there
a token is good while its EventSession's door is open: by the clock where it is trusted, else by staff's switch alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.domain.clock import MINUTE_MS, Now

Audience = Literal["attendee", "staff", "viewer"]
Status = Literal[204, 401, 403]

# Long enough to load a page or a stretch of a stream, short enough that nobody keeps a list of them.
LIFE_MS = 15 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Need:
    """What lets a request through: one of ``purposes`` (audience, purpose); ``open`` to everybody without any.

    ``token`` is what the address itself carries, empty where the right travels in a header or a cookie.
    """

    purposes: frozenset[tuple[Audience, str]] = frozenset()
    token: str = ""
    open: bool = False


_STAFF: frozenset[tuple[Audience, str]] = frozenset({("staff", "desk")})
_WATCH: frozenset[tuple[Audience, str]] = frozenset({("viewer", "watch"), ("staff", "desk")})
_MANAGE: frozenset[tuple[Audience, str]] = frozenset({("attendee", "order-manage")})
_VIEW: frozenset[tuple[Audience, str]] = frozenset({("attendee", "order-view"), ("attendee", "order-manage")})
_SIGNING_IN = ("/staff/sign-in", "/staff/sign-in/passkey", "/staff/sign-in/passkey/options", "/staff/sign-out")
# Pages below the address of an order that one who may only look sees too; everything else there acts.
_LOOKING = ("",)


def need_of(method: str, path: str) -> Need | None:
    """Return what a request to ``path`` (without its query) needs; None for what the gateway does not know."""
    parts = path.split("/")
    if len(parts) < 2 or parts[0] or any(each in {".", ".."} for each in parts):
        return None
    if "/".join(parts[:3]) in _SIGNING_IN:
        return Need(open=True)
    room, token, rest = parts[1], parts[2] if len(parts) > 2 else "", "/".join(parts[3:])
    if room == "staff":
        return Need(_STAFF)
    if not token:
        return None
    if room == "live":
        return Need(_WATCH, token)
    if room == "holds":
        return Need(frozenset({("attendee", "hold")}), token)
    if room == "waitlist":
        return Need(frozenset({("attendee", "waitlist")}), token)
    if room == "tickets":
        looking = method in {"GET", "HEAD"} and rest in _LOOKING
        return Need(_VIEW if looking else _MANAGE, token)
    return None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a device knows about a token whose signature is good.

    ``issued_here`` in boot ``boot`` until ``expires_boot_ms``; ``door_open`` is that of its EventSession, hosted here; ``revoked`` on its
    own or with its ticket or issuer; ``void``: its ticket admits nobody any more, as far as this device heard.
    """

    issued_here: bool
    boot: str
    expires_boot_ms: int
    door_open: bool
    revoked: bool
    void: bool


def is_good(facts: Facts, now: Now, boot: str) -> bool:
    """Return whether a token still is a token; ``boot`` names this device's boot as tokens do."""
    if facts.revoked or facts.void:
        return False
    if facts.issued_here:
        # After a restart boot-time began anew: nobody can say how old it is, and asking for another one is cheap.
        return facts.boot == boot and now.boot_ms < facts.expires_boot_ms
    return facts.door_open


def status_of(need: Need | None, held: tuple[Audience, str] | None) -> Status:
    """Return the answer to a request: 401 asks for a token, 403 says that this one, or any, is not for this."""
    if need is None:
        return 403
    if need.open:
        return 204
    if held is None:
        return 401
    return 204 if held in need.purposes else 403


def lives(boot_id: str, expires_boot_ms: int, now: Now) -> bool:
    """Return whether what was granted for a stretch of boot-time still is: staff's sign-ins and short codes live by this."""
    return boot_id == now.boot_id and now.boot_ms < expires_boot_ms
