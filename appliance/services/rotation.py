"""Replacing this device's key: the old one announces the new one, and what it signed stays good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from appliance.services.box import Box
from mqtt_bridge.protocol.messages import KeyPublished


class Rotatable(Protocol):
    """A key that can be replaced; ``announce`` commits the message before the old key is gone (``keys.KeyFile``)."""

    @property
    def kid(self) -> str:
        """Key id of the key in use."""
        ...

    def rotate(self, announce: Callable[[KeyPublished], object]) -> None:
        """Replace the key."""
        ...


def rotate_key(box: Box, key: Rotatable) -> str:
    """Replace the device's key and return the new key id; processes that run already sign with the old one until restarted.

    A crash in between keeps the old key; the next call announces the same new key again.
    """
    retired = key.kid

    def announce(published: KeyPublished) -> None:
        box.run(lambda unit: unit.emit(published))

    key.rotate(announce)
    box.run(lambda unit: unit.audit("system", "key_rotated", key.kid, f"retires {retired}"))
    return key.kid
