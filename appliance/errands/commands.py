"""The commands: what they print and what they call; their arguments are in ``arguments``. Exit status as in ``cli``."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from appliance.bootstrap.cloud import cloud_database, cloud_key, cloud_url, fleet_log
from appliance.bootstrap.device import device_box, device_key, require_device
from appliance.bootstrap.process import wall_ms
from appliance.domain.clock import DAY_MS
from appliance.domain.errors import NotFound
from appliance.errands.card import CardUnreadable, read_card
from appliance.services import gateway
from appliance.services.box import Identity
from appliance.services.clock import system_clock
from appliance.services.startup import WrongDatabase, forget_since
from appliance.settings import Settings, systemctl
from appliance.store.engine import NewerDatabase, open_database
from appliance.web import keyring
from mqtt_bridge import copies
from mqtt_bridge.cloud import losses, recovering, store
from mqtt_bridge.cloud.badges import BadgeRefused, issue_badge, issued_badges, revoke_badge
from mqtt_bridge.cloud.directory import DirectoryRefused
from mqtt_bridge.cloud.doubt import ReleaseRefused
from mqtt_bridge.cloud.losses import RestoreRefused, SealRefused
from mqtt_bridge.cloud.overview import overview
from mqtt_bridge.copies import CopyRefused
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.badges import SERIAL_BYTES

WHO = "operator"
LONGEST_OVERLAP_DAYS = 366
_SHUT_OUT = "the authority puts those it has on the revocation list within seconds"
_MAY_RETURN = "the one it has lets it come back to tell what it sold; marquee authority revoke ends that"
REFUSALS = (
    BadgeRefused,
    SealRefused,
    ReleaseRefused,
    DirectoryRefused,
    RestoreRefused,
    CopyRefused,
    CardUnreadable,
    WrongDatabase,
    NewerDatabase,
)


def guarded(run: Callable[[argparse.Namespace, Settings], int]) -> Callable[[argparse.Namespace, Settings], int]:
    """Return ``run`` with refusals said in one line."""

    def command(given: argparse.Namespace, settings: Settings) -> int:
        try:
            return run(given, settings)
        except REFUSALS as error:
            print(f"{given.command}: {error}", file=sys.stderr)
            return 1

    return command


def agreed(given: argparse.Namespace, price: Iterable[str]) -> bool:
    """Show what it costs and tell whether the operator wants it."""
    for line in price:
        print(line)
    if given.yes:
        return True
    if not sys.stdin.isatty():
        print("nothing was done; say it again with --yes if you mean it", file=sys.stderr)
        return False
    return input("Type yes to do it: ").strip().lower() == "yes"


def seal(given: argparse.Namespace, settings: Settings) -> int:
    """Seal a device."""
    database = cloud_database(settings)
    now_ms = wall_ms()
    if not agreed(given, losses.price_of_seal(database, given.device, now_ms).words(now_ms)):
        return 1
    log = fleet_log(settings)
    losses.seal_device(database, given.device, WHO, given.reason, now_ms, stolen=given.stolen, log=log)
    print(f"{given.device} is sealed and gets no other certificate; " + (_SHUT_OUT if given.stolen else _MAY_RETURN))
    return 0


def replace(given: argparse.Namespace, settings: Settings) -> int:
    """Seal ``given.replaces`` and let ``given.device`` answer for it; the caller prints the new device's settings."""
    database, now_ms = cloud_database(settings), wall_ms()
    if not agreed(
        given, (f"# {line}" for line in losses.price_of_seal(database, given.replaces, now_ms).words(now_ms))
    ):
        return 1
    names = (given.device, given.venue, given.replaces)
    done = losses.replace_device(database, *names, WHO, "replaced", now_ms, log=fleet_log(settings))
    print(f"# {given.replaces} is sealed; {given.device} is told the past of the venue in {done.parts} parts")
    print("# names and contacts are not kept in the cloud, so they are missing there")
    return 0


def release(given: argparse.Namespace, settings: Settings) -> int:
    """Release stock in doubt."""
    database = cloud_database(settings)
    if not agreed(given, losses.price_of_release(database, given.quota, given.number).words()):
        return 1
    done = losses.release_stock(database, given.quota, given.number, WHO, wall_ms())
    print(f"{done.number} tickets of {done.name!r} are on sale again")
    return 0


def answer_cancels(given: argparse.Namespace, settings: Settings) -> int:
    """Answer cancels in the place of a sealed door."""
    database = cloud_database(settings)
    if not agreed(given, losses.waiting_cancels(database, given.venue).words()):
        return 1
    done = losses.answer_cancels(database, given.venue, WHO, wall_ms())
    print(f"{len(done.cancels)} cancels answered")
    return 0


def recover(given: argparse.Namespace, settings: Settings) -> int:
    """Read an old card."""
    card = read_card(given.path)
    if card.damaged:
        print(f"the card is damaged and was read as far as possible: {card.damaged}", file=sys.stderr)
    if given.final and card.damaged:
        print("it is not taken as final: what cannot be read may be sales", file=sys.stderr)
    final = given.final and not card.damaged
    found = recovering.recover(cloud_database(settings), card, settings.device.org, WHO, wall_ms(), final=final)
    print(f"{card.device}: {found.messages} messages read, {found.new_tickets} tickets were new")
    for name, (before, after) in found.in_doubt.items():
        print(f"{name}: {before} were in doubt, {after} are now")
    return 0


def backup(given: argparse.Namespace, settings: Settings) -> int:
    """Copy a database to a file."""
    if given.device:
        database = open_database(settings.device.data / "marquee.db")
        keys = "device.pem"
    else:
        database = cloud_database(settings)
        keys = "cloud.pem and fleet.jsonl"
    size = copies.save(database, given.file)
    print(f"{given.file}: {size} bytes; keep {keys} beside it, apart from this machine")
    return 0


def restore(given: argparse.Namespace, settings: Settings) -> int:
    """Put a copy back."""
    if given.device:
        return _restore_device(given, settings)
    if (given.file is None) != given.from_log:
        print("restore: name the backup, or say --from-log if there is none", file=sys.stderr)
        return 2
    words = (
        "All rows of the cloud are replaced." if given.file else "A new, empty cloud begins with the list of devices.",
        "Nothing is granted until every device has been heard or sealed and you confirmed it; devices sell what they have.",
    )
    if not agreed(given, words):
        return 1
    if given.file is not None:
        database = Database(cloud_url(settings))
        copies.put_back(database, given.file)
        database.close()
    opened = store.open_cloud(cloud_url(settings))
    missing = losses.begin_restored(opened, fleet_log(settings), secrets.token_hex(4), wall_ms())
    print("Import the newest catalogue, then start reconciler and console.")
    print(f"To be heard or sealed: {', '.join(missing) or 'none'}")
    print("Then: marquee confirm-restore")
    return 0


def _restore_device(given: argparse.Namespace, settings: Settings) -> int:
    if given.file is None:
        print("restore: name the backup", file=sys.stderr)
        return 2
    require_device(settings)
    path = settings.device.data / "marquee.db"
    if process := copies.held_open_by(path):
        raise CopyRefused(f"process {process} has {path} open; end them all first: {systemctl('stop')}")
    words = (
        "What this device sold since the backup is known to the cloud at most; it sells nothing until it spoke to it.",
    )
    if not agreed(given, words):
        return 1
    device = settings.device
    if copies.kind_of(given.file) == "sqlite":
        _check_own(given.file, settings)
    database = open_database(path)
    copies.put_back(database, given.file)
    database.close()
    opened = open_database(path)
    identity = Identity(device.org, device.venue, device.name)
    forget_since(opened, identity, secrets.token_bytes, device_key(settings), wall_ms=wall_ms())
    print("restored; the cloud tells what is missing once its processes run again:")
    print(systemctl("start"))
    return 0


def _check_own(file: Path, settings: Settings) -> None:
    """Refuse another device's backup before anything is replaced."""
    card = read_card(file)
    if card.device != settings.device.name:
        raise WrongDatabase(f"{file} is a backup of {card.device!r}, and this is {settings.device.name!r}")


def rotate_web_key(given: argparse.Namespace, settings: Settings) -> int:
    """Put a fresh key before the one that seals the addresses of pages; processes that run notice by themselves."""
    path, now = settings.device.data / keyring.KEY_FILE, system_clock(settings.clock.mode)()
    if given.now:
        if not agreed(given, ("Every address of a hold, ticket or waitlist place that was given out stops working.",)):
            return 1
        keyring.rotate(path, now_ms=now.wall_ms, until_ms=None)
        print("old links end now; tickets stay valid, and guests find theirs with their codes at /my or at the desk")
        return 0
    if not 1 <= given.overlap_days <= LONGEST_OVERLAP_DAYS:
        print(f"rotate-web-key: --overlap-days is 1 to {LONGEST_OVERLAP_DAYS}; --now ends old links", file=sys.stderr)
        return 2
    if not now.trusted:
        print("rotate-web-key: this clock is not trusted, so no overlap can end by it; set it first", file=sys.stderr)
        return 1
    until_ms = now.wall_ms + given.overlap_days * DAY_MS
    ring = keyring.rotate(path, now_ms=now.wall_ms, until_ms=until_ms)
    print(f"old links work for {given.overlap_days} more days; {len(ring.older)} old keys are kept")
    return 0


def revoke_token(given: argparse.Namespace, settings: Settings) -> int:
    """End tokens of the gateway at this device."""
    try:
        name = device_box(settings).run(lambda unit: gateway.revoke(unit, given.what, WHO))
    except NotFound as refusal:
        print(f"revoke-token: {refusal.detail}", file=sys.stderr)
        return 1
    print(f"revoked here: {name}")
    return 0


def confirm(given: argparse.Namespace, settings: Settings) -> int:
    """Let a restored cloud grant again."""
    database = cloud_database(settings)
    missing = losses.still_missing(database)
    if missing:
        print(f"confirm-restore: not heard yet: {', '.join(missing)}; wait for them or seal them", file=sys.stderr)
        return 1
    with database.read() as db:
        view = overview(db, wall_ms())
    if view.missing is None:
        print("confirm-restore: no backup was put back", file=sys.stderr)
        return 1
    devices = [f"{each.name} at {each.venue}: {each.status}, {each.unsynced} messages left" for each in view.devices]
    pools = [f"{each.name}: {each.pool} in the pool" for each in view.quotas]
    if not agreed(given, [*devices, *pools]):
        return 1
    for line in losses.confirm_restored(database, WHO, wall_ms()):
        print(f"still frozen: {line}")
    print("granting again")
    return 0


def badge(given: argparse.Namespace, settings: Settings) -> int:
    """Issue, list or revoke badges of staff. The text of one is shown once: it is kept nowhere."""
    database = cloud_database(settings)
    if given.action == "list":
        with database.read() as db:
            for each in issued_badges(db):
                print(f"{each.serial}  {each.badge}  {each.name}  {'revoked' if each.revoked_at_ms else 'good'}")
        return 0
    if not given.which:
        raise BadgeRefused("say whose badge to issue, or the number of the one to revoke")
    if given.action == "revoke":
        found = revoke_badge(database, given.which, WHO, wall_ms())
        print(f"revoked: {found.serial} of {found.badge}")
        return 0
    text = issue_badge(database, cloud_key(settings), given.which, secrets.token_hex(SERIAL_BYTES), WHO, wall_ms())
    print(text)
    if given.png is not None:
        import segno

        segno.make_qr(text, error="m", boost_error=False).save(str(given.png), kind="png", scale=8, border=4)
        given.png.chmod(0o600)
    return 0
