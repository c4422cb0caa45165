"""The private key: a file of its own, made once, never shared, replaced without a gap."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mqtt_bridge.keys import KeyFile, KeyFileError
from mqtt_bridge.protocol.codec import key_id, verify
from mqtt_bridge.protocol.messages import KeyPublished


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "device.pem"
    key = KeyFile(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert KeyFile(path).public == key.public
    assert key.kid == key_id(key.public)
    verify(key.public_hex, key.sign(b"data"), b"data")
    assert [each.name for each in path.parent.iterdir()] == ["device.pem"]


def kid_of(path: str) -> str:
    return KeyFile(Path(path)).kid


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    """Portal, desk and bridge of a fresh device race for it."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(kid_of, [str(tmp_path / "device.pem")] * 12))) == 1


def test_a_key_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "device.pem"
    KeyFile(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        KeyFile(path)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "device.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="remove it"):
        KeyFile(path)


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "device.pem"
    other = rsa.generate_private_key(65537, 2048)
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="Ed25519"):
        KeyFile(path)


def test_rotation_announces_the_new_key_under_the_old_one(tmp_path: Path) -> None:
    """While the announcement is written, the old key still signs; afterwards the file holds the new one."""
    key = KeyFile(tmp_path / "device.pem")
    old = key.kid
    told: list[KeyPublished] = []

    def announce(message: KeyPublished) -> None:
        assert key.kid == old
        told.append(message)

    key.rotate(announce)
    assert told == [KeyPublished(kid=key.kid, public=key.public_hex, retires=old)]
    assert key.kid != old
    assert KeyFile(key.path).kid == key.kid
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["device.pem"]


def test_a_rotation_that_failed_is_repeated_with_the_same_key(tmp_path: Path) -> None:
    """A crash after the announcement was committed must not leave a published key that nobody holds."""
    key = KeyFile(tmp_path / "device.pem")
    old = key.kid
    told: list[str] = []

    def fail(message: KeyPublished) -> None:
        told.append(message.kid)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        key.rotate(fail)
    assert KeyFile(key.path).kid == key.kid == old
    again = KeyFile(key.path)
    again.rotate(lambda message: told.append(message.kid))
    assert told == [again.kid, again.kid]
