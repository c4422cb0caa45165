"""The certificate that phones believe and the cloud hands out: judged alike where it leaves and where it arrives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from appliance.domain.certificates import Certificate, objection
from appliance.services.certificates import facts
from mqtt_bridge.protocol.portal_pairs import LARGEST_CHAIN, LARGEST_KEY, PortalPair, is_public_name


class Unusable(Exception):
    """Nobody is given this; the sentence says why, and repeats nothing of the key."""


def load(name: str, certificate: Path, key: Path) -> PortalPair:
    """Return what the two files hold, unjudged; raises ``Unusable``."""
    return PortalPair(name, _text(certificate), _text(key))


def checked(pair: PortalPair, at_ms: Callable[[Certificate], int]) -> tuple[PortalPair, int]:
    """Return the pair with its PEM written anew, so that nothing else is in it, and when its certificate ends (ms since the epoch).

    ``at_ms`` says how late it is at least (ms since the epoch), given the certificate. Raises ``Unusable``.
    """
    if not is_public_name(pair.name):
        raise Unusable("its name is no DNS name of two labels or more in lower case")
    if len(pair.certificate) > LARGEST_CHAIN or len(pair.key) > LARGEST_KEY:
        raise Unusable("certificate or key are too large")
    try:
        chain = x509.load_pem_x509_certificates(pair.certificate.encode())
        found, public = facts(chain[0]), _public(chain[0])
        certificates = "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)
    except Exception as error:
        raise Unusable("the certificate is no readable PEM") from error
    try:
        secret = load_pem_private_key(pair.key.encode(), password=None)
        fits = _public(secret) == public
        key = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    except Exception:  # noqa: BLE001  what was raised may quote the file
        raise Unusable("the key is no readable PEM without a passphrase") from None
    if not fits:
        raise Unusable("the key does not fit the certificate")
    if why := objection(found, pair.name, at_ms(found)):
        raise Unusable(f"phones would not believe the certificate: {why}")
    return PortalPair(pair.name, certificates, key), found.not_after_ms


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise Unusable(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise Unusable(f"{path} is no readable PEM") from None


def _public(holder: x509.Certificate | PrivateKeyTypes) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
