"""The certificate authority: its key and the certificates it makes, as files of one folder.

    ca.pem ca.key          the authority; its fingerprint is the pin in every provisioning file
    server.pem server.key  what `marquee authority` shows to devices
    issued.jsonl           every certificate of a device, apart from the database
    broker/                ca.pem broker.pem broker.key revoked.pem: what Mosquitto reads
    client/                ca.pem reconciler.pem reconciler.key: what reconcilers and the console show to the broker

Keys are files of mode 0600; in ``broker/`` and ``client/`` of 0640, if the folder is open to a group of its own, as who is
not root can hand a file to a reader only in this way. Files are replaced whole, so a reader sees the old or the new one.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mqtt_bridge import durable
from mqtt_bridge.broker.mosquitto import RECONCILER
from mqtt_bridge.cloud.enrolments import Issued
from mqtt_bridge.enrolling import last_third, load_key

CA_LIFE = dt.timedelta(days=20 * 365)
LIFE = dt.timedelta(days=90)
# A list that runs out refuses everybody, so it lives much longer than the authority may be away, and is made anew every day.
LIST_LIFE, LIST_AGE = dt.timedelta(days=30), dt.timedelta(days=1)
# Clocks differ; a certificate made a moment ago must not be "not valid yet".
BACKDATED = dt.timedelta(hours=1)
LARGEST_CSR = 8_192
# Set-group-ID: how ``marquee authority init`` marks a folder whose files are for a group.
_FOR_A_GROUP = 0o2000


class AuthorityError(Exception):
    """Files of the authority are missing or do not fit; the sentence says what to do."""


class CsrRefused(Exception):
    """What was sent is no request that can be signed; the sentence says why."""


@dataclass(frozen=True)
class Request:
    """A certificate signing request that was proven: who it says it is, and its key."""

    name: str
    public: ec.EllipticCurvePublicKey
    key: str


class Authority:
    """An authority whose files are in ``folder``; raises ``AuthorityError`` if they are not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._key = load_key(folder / "ca.key")
            self.certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        except (OSError, ValueError) as error:
            raise AuthorityError(
                f"{folder} holds no readable authority ({error}); run marquee authority init"
            ) from error

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def sign(self, asked: Request, name: str, serial: int, now: dt.datetime) -> bytes:
        """Return a device's certificate (PEM), under ``name`` whatever the request says."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._signed(name, asked.public, serial, now, usage, ()).public_bytes(Encoding.PEM)

    def keep_own(self, hosts: Iterable[str], broker_hosts: Iterable[str], now: dt.datetime) -> list[Path]:
        """Make what is missing of server, broker and reconciler, and renew what is in its last third; returns what changed."""
        server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        broker, reconciler = self.folder / "broker", self.folder / "client"
        changed = [
            *self._keep(self.folder / "server", "authority", server, tuple(hosts), now),
            *self._keep(broker / "broker", "broker", server, tuple(broker_hosts), now),
            *self._keep(reconciler / "reconciler", RECONCILER, client, (), now),
        ]
        for folder in (broker, reconciler):
            if not (folder / "ca.pem").exists():
                _put(folder / "ca.pem", self.pem, 0o644)
                changed.append(folder / "ca.pem")
        return changed

    def keep_list(self, revoked: tuple[tuple[str, int], ...], now: dt.datetime) -> bool:
        """Write the revocation list if it says something else than the one before, or that one is a day old; tells whether."""
        path = self.folder / "broker" / "revoked.pem"
        try:
            before = x509.load_pem_x509_crl(path.read_bytes())
            same = sorted(f"{each.serial_number:x}" for each in before) == sorted(serial for serial, _ in revoked)
            if same and before.last_update_utc <= now < before.last_update_utc + LIST_AGE:
                return False
        except (OSError, ValueError):
            pass
        _put(path, self._list(revoked, now), 0o644)
        return True

    def _list(self, revoked: tuple[tuple[str, int], ...], now: dt.datetime) -> bytes:
        made = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        made = made.last_update(now).next_update(now + LIST_LIFE)
        made = made.add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
        made = made.add_extension(_issuer_key(self._key), critical=False)
        for serial, at_ms in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
            entry = entry.revocation_date(dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC))
            made = made.add_revoked_certificate(entry.build())
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _keep(
        self, stem: Path, name: str, usage: x509.ObjectIdentifier, hosts: tuple[str, ...], now: dt.datetime
    ) -> list[Path]:
        certificate, secret = stem.with_suffix(".pem"), stem.with_suffix(".key")
        try:
            load_key(secret)
            before = x509.load_pem_x509_certificate(certificate.read_bytes())
            if now < last_third(before) and _hosts(before) == set(hosts) and before.issuer == self.certificate.subject:
                return []
        except (OSError, ValueError):
            pass
        # The same key for as long as there is one: then the old certificate fits beside it while only one file is replaced.
        key = load_key(secret) if secret.exists() else ec.generate_private_key(ec.SECP256R1())
        if not secret.exists():
            _put(secret, _secret_pem(key), 0o600)
        made = self._signed(name, key.public_key(), x509.random_serial_number(), now, usage, hosts)
        _put(certificate, made.public_bytes(Encoding.PEM), 0o644)
        return [certificate]

    def _signed(
        self,
        name: str,
        public: ec.EllipticCurvePublicKey,
        serial: int,
        now: dt.datetime,
        usage: x509.ObjectIdentifier,
        hosts: tuple[str, ...],
    ) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(serial)
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(_issuer_key(self._key), critical=False)
        )
        if hosts:
            made = made.add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False)
        return made.sign(self._key, hashes.SHA256())


def create(folder: Path, org: str, now: dt.datetime) -> bool:
    """Make the authority's key and certificate unless they are there; tells whether they are new."""
    if (folder / "ca.key").exists() and (folder / "ca.pem").exists():
        return False
    key = load_key(folder / "ca.key") if (folder / "ca.key").exists() else ec.generate_private_key(ec.SECP256R1())
    if not (folder / "ca.key").exists():
        _put(folder / "ca.key", _secret_pem(key), 0o600)
    name = _named(f"Marquee authority of {org}")
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _put(folder / "ca.pem", made.public_bytes(Encoding.PEM), 0o644)
    return True


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 (hex) of the authority's certificate in DER, which is the pin; raises ``AuthorityError``."""
    try:
        return x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()).fingerprint(hashes.SHA256()).hex()
    except (OSError, ValueError) as error:
        raise AuthorityError(f"{folder / 'ca.pem'} cannot be read ({error}); run marquee authority init") from error


def read_csr(text: str) -> Request:
    """Return a request whose sender proved to have the key (PKCS 10, RFC 2986); raises ``CsrRefused``.

    Keys are on NIST's curve P-256, which OpenSSL and Mosquitto know everywhere.
    """
    if len(text) > LARGEST_CSR:
        raise CsrRefused("it is too large")
    try:
        csr = x509.load_pem_x509_csr(text.encode())
        public = csr.public_key()
        proven = csr.is_signature_valid
        names = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except Exception as error:
        raise CsrRefused("it is no certificate signing request in PEM") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise CsrRefused("its key is not one on the curve P-256")
    if not proven or len(names) != 1:
        raise CsrRefused("its signature does not fit, or it names nobody")
    return Request(str(names[0].value), public, key_hash(public))


def key_hash(public: ec.EllipticCurvePublicKey) -> str:
    """Return the SHA-256 (hex) of a public key (SubjectPublicKeyInfo)."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


class IssuedLog:
    """Certificates of devices in a file apart from the database, one JSON line each, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "issued.jsonl"

    def append(self, issued: Issued) -> None:
        """Write one down and flush it."""
        durable.append(self._path, msgspec.json.encode(issued))

    def entries(self) -> tuple[Issued, ...]:
        """Return what was written; a line that a crash tore is skipped."""
        found = []
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=Issued))
            except msgspec.MsgspecError:
                continue
        return tuple(found)


def _put(path: Path, data: bytes, mode: int) -> None:
    """Write a file for who reads this folder: its group too, where the folder is open to one."""
    folder = path.parent.stat()
    if mode & 0o077 == 0 and folder.st_mode & _FOR_A_GROUP:
        durable.write(path, data, 0o640, folder.st_gid)
    else:
        durable.write(path, data, mode)


def _secret_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _issuer_key(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _hosts(certificate: x509.Certificate) -> set[str]:
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(each.value) for each in named}
