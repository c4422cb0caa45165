"""The files by which a device becomes one, in its data folder; what they mean is in ``domain/setup``.

    setup.json          how far it is, for screen, page and printer
    provisioning.toml   the provisioning file, until the device has enrolled
    provisioned.json    which file was taken over last
    device.toml         the settings that came of it
    hostname            what the host is called
    tls/                ca.pem device.pem device.key

First boot runs as root and the rest as a user of its own. What is written is written as whom the folder belongs to: so it is theirs,
and no link that somebody put there leads root to a file of others.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pwd
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from appliance.domain.setup import Setup
from mqtt_bridge import durable

SETUP, COPY, TAKEN, DEVICE = "setup.json", "provisioning.toml", "provisioned.json", "device.toml"
HOST = "hostname"


class Taken(msgspec.Struct, frozen=True):
    """The file that was taken over last: SHA-256 (hex) of its bytes, and whom it named."""

    digest: str
    org: str
    name: str
    venue: str


def read_setup(data: Path) -> Setup | None:
    """Return how far the device is; None where it was set up by hand and nobody keeps account of it."""
    try:
        return msgspec.json.decode((data / SETUP).read_bytes(), type=Setup)
    except (OSError, msgspec.MsgspecError):
        return None


def setup_pending(data: Path) -> bool:
    """Whether first boot or enrolment keep account of this device, and it is not set up yet."""
    setup = read_setup(data)
    return setup is not None and setup.pending


def write_setup(data: Path, setup: Setup) -> None:
    """Say how far it is, unless that is what was said before."""
    if read_setup(data) != setup:
        write(data / SETUP, msgspec.json.encode(setup))


def read_taken(data: Path) -> Taken | None:
    """Return which provisioning file was taken over last."""
    try:
        return msgspec.json.decode((data / TAKEN).read_bytes(), type=Taken)
    except (OSError, msgspec.MsgspecError):
        return None


def is_enrolled(data: Path) -> bool:
    """Whether the device has a certificate and settings that name it."""
    broker = _settings(data).get("broker", {})
    return Path(str(broker.get("certificate", ""))).is_file() and bool(broker.get("cloud_key"))


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What enrolment made of the device: the authority's address and SHA-256 (hex), the broker's address and the cloud's key.

    ``portal`` are address and certificate for phones, where the cloud handed out any.
    """

    url: str
    ca: str
    broker: tuple[str, str]
    portal: tuple[str, str] | None


def enrolment(data: Path) -> Enrolment | None:
    """Return what it made of the device; None unless key, certificate, authority and settings are all there, as it leaves them."""
    settings = _settings(data)
    authority, broker, portal = (settings.get(name, {}) for name in ("authority", "broker", "portal"))
    ours = {name: str(data / "tls" / f"{file}") for name, file in _TLS.items()}
    if any(broker.get(name) != path or not Path(path).is_file() for name, path in ours.items()):
        return None
    try:
        lines = Path(ours["ca"]).read_text("ascii").split("\n")
        ca = hashlib.sha256(base64.b64decode("".join(line for line in lines if not line.startswith("-")))).hexdigest()
        for_phones = (portal["secure_url"], portal["certificate"]) if "secure_url" in portal else None
        return Enrolment(authority["url"], ca, (broker["url"], broker["cloud_key"]), for_phones)
    except (OSError, ValueError, KeyError):
        return None


_TLS = {"ca": "ca.pem", "certificate": "device.pem", "key": "device.key"}


def _settings(data: Path) -> dict[str, dict[str, Any]]:
    try:
        found = tomllib.loads((data / DEVICE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: section for name, section in found.items() if isinstance(section, dict)}


def write(path: Path, data: bytes) -> None:
    """Write a private file that belongs to whom its folder belongs to."""
    make_folder(path.parent)
    with as_owner_of(path.parent):
        durable.write(path, data)


def write_for_group(path: Path, data: bytes) -> None:
    """Write a file that the group of its folder may read too; raises ``OSError`` where the folder is missing."""
    with as_owner_of(path.parent):
        durable.write(path, data, 0o640)


@contextlib.contextmanager
def as_owner_of(folder: Path) -> Iterator[None]:
    """Do what is done within as the account that ``folder`` belongs to, where this is root: no link in there leads any further.

    A folder that is a link is another account's if the link is: root's own are followed.
    """
    owner, group = os.geteuid(), os.getegid()
    wanted = folder.lstat() if folder.lstat().st_uid != 0 else folder.stat()
    if owner != 0 or wanted.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    theirs, all_theirs = _groups_of(wanted.st_uid, wanted.st_gid)
    os.setgroups(all_theirs)
    os.setegid(theirs)
    os.seteuid(wanted.st_uid)
    try:
        yield
    finally:
        os.seteuid(owner)
        os.setegid(group)
        os.setgroups(groups)


def make_folder(folder: Path) -> None:
    """Make a folder that only the owner of the one above may enter."""
    if not folder.is_dir():
        above = next(each for each in folder.parents if each.is_dir())
        with as_owner_of(above):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _groups_of(owner: int, group: int) -> tuple[int, list[int]]:
    """The group that an account acts with in a folder of ``group``, and all of its own; never root's."""
    try:
        account = pwd.getpwuid(owner)
    except KeyError:
        return group or owner, []
    return group or account.pw_gid, os.getgrouplist(account.pw_name, account.pw_gid)
