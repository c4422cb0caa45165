"""``marquee authority``: makes the authority's files, serves devices with certificates, revokes them."""

from __future__ import annotations

import argparse
import datetime as dt
import grp
import os
import pwd
import sys
from pathlib import Path

from appliance.bootstrap import process
from appliance.bootstrap.cloud import authority_app, authority_folder, authority_hosts, cloud_database, portal_files
from appliance.services.setting_up import as_owner_of
from appliance.settings import Settings, SettingsError
from mqtt_bridge.cloud import authority, enrolments

SHARED = ("broker", "client")


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Do what ``given.action`` says; exit status as in ``cli``."""
    if given.action == "init":
        return init(given, settings)
    if given.action == "revoke":
        return revoke(given, settings)
    return serve(settings)


def serve(settings: Settings) -> int:
    """Answer devices until SIGTERM."""
    _named(settings)
    # Half of them is told now, not by a worker that dies again and again.
    portal_files(settings)
    folder = authority_folder(settings)
    try:
        authority.Authority(folder)
    except authority.AuthorityError as error:
        return _complain(str(error))
    # Its own certificate may have ended while this was not running.
    _keep(settings, folder)
    return process.serve(
        lambda: authority_app(settings),
        bind=settings.authority.bind,
        workers=1,
        threads=8,
        tls=(folder / "server.pem", folder / "server.key"),
    )


def init(given: argparse.Namespace, settings: Settings) -> int:
    """Make what is missing; said again it changes nothing that is good."""
    _named(settings)
    folder = authority_folder(settings)
    try:
        _folders(folder, given.owner, {"broker": given.broker_group, "client": given.client_group})
        _hand_over(folder, given.owner)
        # As its owner: a link that lies there leads no further than that account comes by itself.
        with as_owner_of(folder):
            new = authority.create(folder, settings.device.org, _now())
            changed = _keep(settings, folder)
        print(f"authority: {'made' if new else 'is there'} in {folder}")
        for path in changed:
            print(f"authority: wrote {path}")
        print(f"pin: sha256:{authority.fingerprint(folder)}")
    except (authority.AuthorityError, OSError, LookupError) as error:
        return _complain(str(error))
    return 0


def revoke(given: argparse.Namespace, settings: Settings) -> int:
    """Let a device's certificates and tokens be worth nothing."""
    if not given.device:
        return _complain("name the device to revoke")
    number = enrolments.revoke(cloud_database(settings), given.device, "operator", process.wall_ms())
    print(
        f"{number} certificates of {given.device} go on the revocation list; it can enrol again with a new token only"
    )
    return 0


def _named(settings: Settings) -> None:
    if not settings.authority.url:
        raise SettingsError(["authority.url: is not set; write where devices reach it, https://cloud.example.org:8443"])


def _keep(settings: Settings, folder: Path) -> list[Path]:
    """Own certificates, and a revocation list to begin with: Mosquitto does not start without one."""
    keeper = authority.Authority(folder)
    changed = keeper.keep_own(*authority_hosts(settings), _now())
    revoked = folder / "broker" / "revoked.pem"
    if not revoked.exists() and keeper.keep_list((), _now()):
        changed.append(revoked)
    return changed


def _folders(folder: Path, owner: str, groups: dict[str, str]) -> None:
    """Others may pass through to what is theirs; the two folders inside are closed but to a group.

    The folder may be of the account that answers devices: what lies there is opened as the folder that it is, or not at all.
    """
    user = pwd.getpwnam(owner).pw_uid if owner else -1
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    folder.chmod(0o711)
    for name in SHARED:
        inside, group = folder / name, groups[name]
        inside.mkdir(mode=0o700, exist_ok=True)
        opened = os.open(inside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchown(opened, user, grp.getgrnam(group).gr_gid if group else -1)
            # What is made in there belongs to its readers' group, whoever makes it.
            os.fchmod(opened, 0o2750 if group or os.fstat(opened).st_mode & 0o2000 else 0o700)
        finally:
            os.close(opened)


def _hand_over(folder: Path, owner: str) -> None:
    """What is there becomes the owner's; where a link leads stays whose it is."""
    if owner:
        user = pwd.getpwnam(owner).pw_uid
        os.chown(folder, user, -1)
        for path in folder.rglob("*"):
            os.chown(path, user, -1, follow_symlinks=False)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _complain(words: str) -> int:
    print(f"authority: {words}", file=sys.stderr)
    return 1
