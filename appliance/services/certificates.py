"""The portal's certificate as it is in its file, and when the clock was last known to be right."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.domain.certificates import Certificate, earliest_ms, objection
from appliance.domain.clock import HOUR_MS, Now
from appliance.services.clock import BUILT_AT_MS

if TYPE_CHECKING:
    from cryptography import x509

LAST_TRUSTED = "last-trusted-time"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether phones will believe the certificate, until when (ms since the epoch, 0 if unknown), and what is wrong with it."""

    good: bool
    until_ms: int
    why: str


def judge(path: Path | None, url: str, now: Now, data: Path) -> Verdict:
    """Say whether the certificate in ``path`` is good for ``url``; ``data`` is the folder that knows the last trusted time."""
    host = urlsplit(url).hostname
    if not host or not url.startswith("https://"):
        return Verdict(good=False, until_ms=0, why="there is no address over HTTPS (portal.secure_url)")
    if path is None:
        return Verdict(good=False, until_ms=0, why="there is none (portal.certificate)")
    try:
        found = read(path)
    except (OSError, ValueError):
        return Verdict(good=False, until_ms=0, why=f"{path} is no readable PEM certificate")
    why = objection(found, host, late_ms(data, now, found))
    return Verdict(good=not why, until_ms=found.not_after_ms, why=why)


def read(path: Path) -> Certificate:
    """Return the first certificate of a PEM file; raises ``OSError`` or ``ValueError``."""
    # A device without a certificate asks every few minutes, and should not load half a library for it.
    from cryptography import x509

    return facts(x509.load_pem_x509_certificate(path.read_bytes()))


def facts(found: x509.Certificate) -> Certificate:
    """Return what counts of a certificate; raises ``ValueError`` for one with parts that cannot be read."""
    from cryptography import x509

    try:
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(named.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = ()
    return Certificate(
        not_before_ms=int(found.not_valid_before_utc.timestamp() * 1000),
        not_after_ms=int(found.not_valid_after_utc.timestamp() * 1000),
        names=names,
        self_signed=found.issuer == found.subject,
    )


def late_ms(data: Path, now: Now, found: Certificate) -> int:
    """Return how late it is at least, for judging this certificate (ms since the epoch)."""
    return earliest_ms(now, BUILT_AT_MS, last_trusted_ms(data), found.not_before_ms)


def last_trusted_ms(data: Path) -> int:
    """Return when the clock was last known to be right, 0 if it never was."""
    try:
        return int((data / LAST_TRUSTED).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def earliest(data: Path, now: Now) -> int | None:
    """Return the earliest that it can be now where the clock is not trusted, by what is past for certain; else None."""
    return None if now.trusted else earliest_ms(now, BUILT_AT_MS, last_trusted_ms(data), 0)


def remember(data: Path, now: Now) -> None:
    """Write the time down if it is trusted, once an hour at most: the card lasts longer.

    Also where it is earlier than what stands there: a time server that was wrong once would have the last word for years.
    """
    if now.trusted and abs(now.wall_ms - last_trusted_ms(data)) >= HOUR_MS:
        draft = data / f"{LAST_TRUSTED}.{os.getpid()}"
        draft.write_text(str(now.wall_ms), "ascii")
        draft.replace(data / LAST_TRUSTED)
