"""A device's side of enrolment: its own TLS key, the request for a certificate, and the conversation with the authority.

Beside its own certificate the authority may hand out one that phones believe, the same for all devices (``PortalPair``).

Whoever answers is believed because of the pin alone: the authority's certificate must have exactly that SHA-256, and the
server must have a certificate of this authority. A device without a clock judges no times but those that are past for certain.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mqtt_bridge import durable, peers
from mqtt_bridge.protocol.portal_pairs import PortalPair

TIMEOUT_S = 15.0
LARGEST_ANSWER = 65_536
_ODD = "the cloud answered {}, and not what was asked for"
_BROKER_URL = re.compile(r"mqtts?://[A-Za-z0-9.\[\]:-]{1,260}")


class CloudUnreachable(Exception):
    """Nobody answered, or not yet: asking again later helps."""


class WrongAuthority(Exception):
    """Somebody answered who is not the authority that the pin names."""


class Refused(Exception):
    """The authority gives no certificate; ``reason`` is its word for why, the text its sentence."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


@dataclass(frozen=True)
class Enrolled:
    """What enrolment brought: certificate and authority (PEM), the broker's address, the cloud's public key (hex).

    ``portal`` is what came for phones, unjudged; None if nothing of that kind came.
    """

    certificate: bytes
    ca: bytes
    broker_url: str
    cloud_key: str
    portal: PortalPair | None = None


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key in ``path``; ``ValueError`` if it is of another kind or none."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = f"{path} holds another kind of key"
        raise ValueError(msg)  # noqa: TRY004  a wrong file, not a bug
    return key


def load_or_make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key in ``path`` (P-256, PEM, mode 0600), made if it is missing; it never leaves the device."""
    if path.exists():
        return load_key(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    durable.write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def request_for(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    """Return a certificate signing request (PKCS 10, PEM) for ``name``."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def fetch_authority(url: str, pin: str) -> bytes:
    """Return the authority's certificate (PEM), which has the SHA-256 ``pin`` (hex of its DER).

    Raises ``CloudUnreachable`` or ``WrongAuthority``.
    """
    # Nothing secret is sent, and what comes is believed only if its hash is the pin.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    status, body = _call(url, "GET", "/ca.pem", context, b"", None)
    try:
        found = x509.load_pem_x509_certificate(body) if status == http.client.OK else None
    except ValueError:
        found = None
    if found is None or hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest() != pin:
        raise WrongAuthority(f"who answered at {url} is not the authority that the provisioning file names")
    return found.public_bytes(Encoding.PEM)


def ask(url: str, ca: bytes, csr: str, token: str, earliest_ms: int | None) -> Enrolled:
    """Ask for a certificate, with a token for the first one, and return the answer as it came.

    ``earliest_ms`` is the earliest that it can be now (ms since the epoch) where the clock is not to be trusted, else None.
    Raises ``CloudUnreachable``, ``WrongAuthority`` or ``Refused``.
    """
    asked = {"csr": csr, "token": token} if token else {"csr": csr}
    status, answered = _post(url, "/v1/certificates", ca, asked, earliest_ms)
    if status != http.client.CREATED:
        raise _refusal(status, answered)
    try:
        answer = json.loads(answered)
        portal = _pair(answer.get("portal"))
        return Enrolled(answer["certificate"].encode(), ca, answer["broker_url"], answer["cloud_key"], portal)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise CloudUnreachable(_ODD.format(status)) from None


def ask_portal(url: str, ca: bytes, csr: str, earliest_ms: int | None) -> PortalPair | None:
    """Ask for what phones believe, by the key of this device's certificate; None if the cloud has none, or is too old to have one.

    It is unjudged. Raises as ``ask`` does, and ``CloudUnreachable`` too for an answer of another kind.
    """
    status, answered = _post(url, "/v1/portal", ca, {"csr": csr}, earliest_ms)
    if status in {http.client.NO_CONTENT, http.client.NOT_FOUND}:
        return None
    if status != http.client.OK:
        raise _refusal(status, answered)
    try:
        return msgspec.json.decode(answered, type=PortalPair)
    except (ValueError, msgspec.MsgspecError):
        raise CloudUnreachable(_ODD.format(status)) from None


def _post(url: str, path: str, ca: bytes, asked: object, earliest_ms: int | None) -> tuple[int, bytes]:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=ca.decode())
    if earliest_ms is not None:
        peers.without_clock(context)
    return _call(url, "POST", path, context, json.dumps(asked).encode(), earliest_ms)


def _refusal(status: int, answered: bytes) -> Exception:
    """What to raise for an answer that gives nothing."""
    try:
        answer = json.loads(answered)
        reason, words = str(answer.get("reason", "")), str(answer.get("detail", ""))
    except (ValueError, AttributeError):
        return CloudUnreachable(_ODD.format(status))
    if status == http.client.FORBIDDEN and reason:
        return Refused(reason, words)
    if status == http.client.UNPROCESSABLE_ENTITY:
        return Refused("bad-request", words)
    return CloudUnreachable(f"the cloud answered {status}: {words}")


def _pair(raw: object) -> PortalPair | None:
    """Something that is not of the kind must not cost a device its own certificate."""
    try:
        return msgspec.convert(raw, PortalPair)
    except msgspec.ValidationError:
        return None


def checked(found: Enrolled, key: ec.EllipticCurvePrivateKey, name: str) -> Enrolled:
    """Return an answer that is what it should be: a certificate of this authority for this name and key, and good addresses.

    Raises ``WrongAuthority``.
    """
    try:
        certificate, ca = (x509.load_pem_x509_certificate(each) for each in (found.certificate, found.ca))
        certificate.verify_directly_issued_by(ca)
        named = [each.value for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except (ValueError, TypeError, InvalidSignature) as error:
        raise WrongAuthority("the certificate that came is not of this authority") from error
    if named != [name] or _public(certificate.public_key()) != _public(key.public_key()):
        raise WrongAuthority("the certificate that came is for another device or key")
    if not _BROKER_URL.fullmatch(found.broker_url) or not re.fullmatch("[0-9a-f]{64}", found.cloud_key):
        raise WrongAuthority("the addresses that came with the certificate cannot be used")
    return found


def _public(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def last_third(certificate: x509.Certificate) -> datetime:
    """Return when the last third of a certificate's life begins: from then on the next one is asked for."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begins + (ends - begins) * 2 / 3


def _call(
    url: str, method: str, path: str, context: ssl.SSLContext, body: bytes, earliest_ms: int | None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json"} if body else {}
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=TIMEOUT_S, context=context
    )
    try:
        connection.connect()
        if earliest_ms is not None and peers.is_over(connection.sock, earliest_ms):
            raise WrongAuthority("the certificate of who answered has expired")
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(LARGEST_ANSWER)
    except ssl.SSLCertVerificationError as error:
        words = f"who answered at {url} has no certificate of our authority for this name: {error.verify_message}"
        raise WrongAuthority(words) from error
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise CloudUnreachable(f"{url} does not answer: {words}") from error
    finally:
        connection.close()
