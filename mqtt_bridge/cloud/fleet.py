"""What is written down of the fleet outside the database, as values."""

from __future__ import annotations

from typing import Literal

import msgspec

from mqtt_bridge.protocol.messages import StockCount


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """``provisioned`` and ``sealed`` name a device, ``restored`` the cloud's new generation.

    ``stock``: what the cloud knew of a sealed device's totals. ``answered_by``: who answers for its orders.
    """

    kind: Literal["provisioned", "sealed", "restored"]
    at_ms: int
    device: str = ""
    venue: str = ""
    door: bool = False
    answered_by: str = ""
    stolen: bool = False
    stock: tuple[StockCount, ...] = ()
    generation: int = 0
