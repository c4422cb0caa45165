"""Certificates of both sides, checked by Mosquitto and by us."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mqtt_bridge.transport import Tls, Transport
from tests.mqtt_bridge.brokers import Mosquitto
from tests.mqtt_bridge.peers import until
from tests.support.programs import program


class Authority:
    """A made-up certificate authority that writes PEM files into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.file = self._write(name, self._sign(self._subject, self._key, ca=True), None)

    def issue(self, common_name: str) -> tuple[str, str]:
        """Return the files of a certificate for 127.0.0.1 and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        certificate = self._sign(subject, key, ca=False)
        return self._write(common_name, certificate, None), self._write(f"{common_name}.key", None, key)

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate | None, key: ec.EllipticCurvePrivateKey | None) -> str:
        path = self.folder / f"{self.name}-{name}.pem"
        if certificate is not None:
            path.write_bytes(certificate.public_bytes(Encoding.PEM))
        elif key is not None:
            path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return str(path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def broker(authority: Authority) -> Iterator[Mosquitto]:
    """Lets in who has a certificate of our authority."""
    certificate, key = authority.issue("broker")
    files = [f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}", "require_certificate true"]
    made = Mosquitto(program("mosquitto"), *files, "use_identity_as_username true", "user root")
    made.start()
    yield made
    made.stop()


def outcome(broker: Mosquitto, tls: Tls | None) -> str:
    """Return "up", or why not."""
    transport = Transport(broker.url.replace("mqtt:", "mqtts:"), "venue-1", ["a"], tls=tls)
    transport.start()
    try:
        until(lambda: transport.connected or transport.error != "not connected yet")
        return "up" if transport.connected else transport.error
    finally:
        transport.stop()


def test_both_sides_show_a_certificate(broker: Mosquitto, authority: Authority) -> None:
    assert outcome(broker, Tls(authority.file, *authority.issue("venue-1"))) == "up"


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_broker_of_another_authority_is_not_trusted(broker: Mosquitto, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(broker, Tls(stranger.file, *authority.issue("venue-1")))
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(broker, None)


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_device_without_a_certificate_stays_outside(broker: Mosquitto, authority: Authority) -> None:
    assert outcome(broker, Tls(authority.file)) not in {"up", "not connected yet"}


def test_files_that_are_missing_are_a_reason_not_a_crash(broker: Mosquitto, authority: Authority) -> None:
    assert "No such file" in outcome(broker, Tls("/nonexistent/ca.pem"))
    assert "No such file" in outcome(broker, Tls(authority.file, "/nonexistent/device.pem"))
