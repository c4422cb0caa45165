"""Whether a phone will believe the portal's certificate, judged with a clock that may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.domain.clock import Now


@dataclass(frozen=True, slots=True)
class Certificate:
    """What counts of a certificate: its time (ms since the epoch), the names it is for, whether it vouches for itself."""

    not_before_ms: int
    not_after_ms: int
    names: tuple[str, ...]
    self_signed: bool = False


def earliest_ms(now: Now, built_at_ms: int, last_trusted_ms: int, not_before_ms: int) -> int:
    """Return the earliest that it can be now: the time itself where the clock is trusted.

    Elsewhere it is later than this program was built, than the clock was last known to be right, and than the certificate was made,
    since all three are past. A clock that stands wrong into the future must not end a good certificate.
    """
    return now.wall_ms if now.trusted else max(built_at_ms, last_trusted_ms, not_before_ms)


def objection(certificate: Certificate, host: str, at_ms: int) -> str:
    """Return why phones would not believe the certificate for ``host`` at this time, empty if they would."""
    if not any(_means(each, host) for each in certificate.names):
        return f"it is not for {host}"
    if certificate.self_signed:
        return "it vouches for itself"
    if at_ms < certificate.not_before_ms:
        return "it is not valid yet"
    if at_ms >= certificate.not_after_ms:
        return "it has expired"
    return ""


def _means(name: str, host: str) -> bool:
    """RFC 6125, 6.4.3: a star stands for exactly one label, the first."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])
