"""A made-up certificate authority that writes PEM files, for tests of what a real one will do."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_LIFE = dt.timedelta(hours=12)


class Authority:
    """Issues certificates for 127.0.0.1 into ``folder`` and revokes them; ``file`` is its own, ``revoked`` its list."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _named(name)
        self._numbers: dict[str, int] = {}
        self._gone: set[int] = set()
        self.file = self._write(name, self._sign(self._subject, self._key, ca=True).public_bytes(Encoding.PEM))
        self.revoked = ""
        self.revoke()

    def issue(self, common_name: str, *hosts: str, ends_in: dt.timedelta = _LIFE) -> tuple[str, str]:
        """Return the files of a certificate and of its key; ``hosts`` are names it is for besides the address."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_named(common_name), key, ca=False, hosts=hosts, ends_in=ends_in)
        self._numbers[common_name] = certificate.serial_number
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        found = (
            self._write(common_name, certificate.public_bytes(Encoding.PEM)),
            self._write(f"{common_name}.key", secret),
        )
        Path(found[1]).chmod(0o600)
        return found

    def revoke(self, *common_names: str) -> None:
        """Write the revocation list anew, with the newest certificate of each name added."""
        self._gone |= {self._numbers[each] for each in common_names}
        self._list()

    def pardon(self, *common_names: str) -> None:
        """Take the newest certificate of each name off the list again."""
        self._gone -= {self._numbers[each] for each in common_names}
        self._list()

    def _list(self) -> None:
        now = dt.datetime.now(dt.UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self._subject)
        made = made.last_update(now - _LIFE).next_update(now + _LIFE)
        for number in self._gone:
            entry = (
                x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now - dt.timedelta(minutes=1))
            )
            made = made.add_revoked_certificate(entry.build())
        signed = made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        self.revoked = self._write("revoked", signed)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
        hosts: tuple[str, ...] = (),
        ends_in: dt.timedelta = _LIFE,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _LIFE)
            .not_valid_after(now + ends_in)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address, *map(x509.DNSName, hosts)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, text: bytes) -> str:
        path = self.folder / f"{self.name}-{name}.pem"
        path.write_bytes(text)
        return str(path)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
