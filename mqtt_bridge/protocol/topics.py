"""Topic names below ``marquee/1/{org}``: a device writes only below its own name and reads its own ``dn`` and ``all``."""

from __future__ import annotations

import re

ROOT = "marquee/1"
# What the cloud calls itself beside devices' names, as sender, origin and addressee; no device is called so.
CLOUD = "cloud"
# Mosquitto counts here what it dropped because a queue was full.
DROPPED = "$SYS/broker/publish/messages/dropped"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def checked(name: str, what: str) -> str:
    """Return ``name`` if it can stand in a topic and an ACL pattern; raise ``ValueError`` naming ``what`` otherwise."""
    if not _NAME.fullmatch(name):
        msg = f"{what} {name!r} must be 1 to 63 lower-case letters, digits, '.', '_' or '-', starting with a letter or digit"
        raise ValueError(msg)
    return name


def up(org: str, device: str, leaf: str) -> str:
    """Topic from a device to the cloud.

    Leaf: ``msg`` (an envelope), ``batch`` (a JSON list of them, in order), ``ack``, ``hello``, ``status``, ``need``;
    retained: ``link`` (up or down) and ``health`` (a ``HardwareReport``).
    """
    return f"{ROOT}/{org}/d/{device}/up/{leaf}"


def down(org: str, device: str, leaf: str) -> str:
    """Topic from the cloud to one device; leaf: ``msg``, ``ack``, ``state`` (retained)."""
    return f"{ROOT}/{org}/d/{device}/dn/{leaf}"


def everyone(org: str, leaf: str) -> str:
    """Retained topic all devices read; leaf: ``catalogue``, ``keys``, ``asset/{sha256}``."""
    return f"{ROOT}/{org}/all/{leaf}"


def parse_up(topic: str, org: str) -> tuple[str, str] | None:
    """Return (device, leaf) of an uplink topic of ``org``, or None."""
    prefix = f"{ROOT}/{org}/d/"
    parts = topic.removeprefix(prefix).split("/") if topic.startswith(prefix) else []
    return (parts[0], parts[2]) if len(parts) == 3 and parts[1] == "up" else None
