"""The key that signs bundles. A fleet gives its own; who gives none gets one for development, made once on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from image.errors import BuildError

YEARS = 20


@dataclass(frozen=True)
class Signing:
    """Files of a signer: its private key, its certificate, and the certificates that devices believe; PEM each."""

    key: Path
    certificate: Path
    keyring: Path
    development: bool = False


def given(key: Path | None, certificate: Path | None, keyring: Path | None) -> Signing:
    """Return the signer that was named, or the one for development."""
    named = (key, certificate, keyring)
    if key and certificate and keyring:
        for path in (key, certificate, keyring):
            if not path.is_file():
                raise BuildError(f"There is no file {path}.")
        return Signing(key, certificate, keyring)
    if any(named):
        raise BuildError(
            "A signer is a key, its certificate and the keyring that devices believe: name all three or none."
        )
    return _development(
        Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "marquee" / "bundle-key"
    )


def _development(folder: Path) -> Signing:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    if not certificate.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = ec.generate_private_key(ec.SECP256R1())
        text = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
        certificate.write_bytes(_certificate(made).public_bytes(serialization.Encoding.PEM))
    return Signing(key, certificate, certificate, development=True)


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Marquee bundles (development)")])
    # A device without a trusted clock must not find it not yet valid.
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=366 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
