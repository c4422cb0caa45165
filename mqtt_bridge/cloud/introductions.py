"""Who a device is: its lives, each with an epoch of its own, and the keys it may sign with."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from mqtt_bridge.cloud.closed_epochs import close_lines
from mqtt_bridge.cloud.records import Cloud, Device, Key, Life, StaffBadge
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.codec import key_id
from mqtt_bridge.protocol.messages import DeviceKey, KeyDirectory, RevokedBadge

# Epochs are signed into every receipt: a small number keeps its code small.
EPOCH_BITS = 16
MOST_LIVES_TOLD = 16


def begin_life(work: Work, device: Device, inc: str, cloud: Cloud, wall_ms: int, *, epoch: int = 0) -> Device:
    """Give a device's new incarnation its own epoch; stock of earlier epochs stays where it was, in doubt.

    ``epoch`` is one that a cloud which was lost since had given to this life already; it stays if it is later.
    """
    if epoch <= device.epoch:
        epoch = max(device.epoch, cloud.generation << EPOCH_BITS) + 1
    close_lines(work, device.name)
    work.of(Life).add(Life(device.name, inc, epoch, wall_ms))
    return work.of(Device).change(device, epoch=epoch, inc=inc, told_to_stop=None, older_inc="")


def introduce_earlier(work: Work, device: Device, told: Iterable[str], wall_ms: int) -> None:
    """Know the past lives whose messages a device still has to tell; a restored cloud may have forgotten them."""
    for inc in sorted(set(told))[:MOST_LIVES_TOLD]:
        if inc != device.inc and work.of(Life).get(device.name, inc) is None:
            work.of(Life).add(Life(device.name, inc, 0, wall_ms))


def lives(work: Work, device: str) -> dict[str, int]:
    """Epoch by incarnation of a device, past ones included."""
    return {each.inc: each.epoch for each in work.of(Life).where("device", device)}


def keys_of(work: Work, device: str) -> dict[str, str]:
    """Public key (hex) by key id of a device, revoked ones left out."""
    return {each.kid: each.public for each in work.of(Key).where("device", device) if not each.revoked}


def public_of(work: Work, device: str, kid: str) -> str | None:
    """Public key (hex) of a device under a key id, None if there is none or it was revoked."""
    key = work.of(Key).get(kid)
    return None if key is None or key.device != device or key.revoked else key.public


def pin_key(work: Work, device: str, kid: str, public: str, wall_ms: int) -> bool:
    """Add a public key; returns False, changing nothing, if the key id does not fit or is another device's."""
    try:
        raw = bytes.fromhex(public)
    except ValueError:
        return False
    if len(raw) != 32 or not hmac.compare_digest(key_id(raw), kid):
        return False
    known = work.of(Key).get(kid)
    if known is not None:
        return known.device == device
    work.of(Key).add(Key(kid, device, public.lower(), False, False, wall_ms))
    return True


def retire_key(work: Work, device: str, kid: str) -> None:
    """A replaced key signs nothing new; what it signed stays good."""
    known = work.of(Key).get(kid)
    if known is not None and known.device == device:
        work.of(Key).change(known, retired=True)


def key_directory(work: Work) -> KeyDirectory:
    """Everything a device needs to verify another device's tickets."""
    devices = {each.name: each for each in work.of(Device).fetch_all()}
    keys = [each for each in work.of(Key).fetch_all() if each.device in devices]
    cloud = work.of(Cloud).get(1)
    badges = work.of(StaffBadge).fetch_all()
    return KeyDirectory(
        0 if cloud is None else cloud.keys_revision,
        tuple(
            _named(devices[each.device], each)
            for each in sorted(keys, key=lambda key: (key.device, key.added_at_ms, key.kid))
        ),
        tuple(sorted({each.public for each in badges})),
        tuple(
            RevokedBadge(each.serial, each.badge)
            for each in sorted(badges, key=lambda badge: badge.serial)
            if each.revoked_at_ms is not None
        ),
    )


def _named(device: Device, key: Key) -> DeviceKey:
    return DeviceKey(
        device=device.name,
        venue=device.venue,
        door=device.door,
        kid=key.kid,
        public=key.public,
        revoked=key.revoked,
        sealed=device.status == "sealed",
        answered_by=device.answered_by,
    )
