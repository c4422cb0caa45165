"""The two slots of an image as files: autoboot.txt that the boot ROM reads, the ledger on the data partition, the firmware's word.

Rule of this folder: the decisions are `domain/slots.py`; here they are read, written and flushed, each file whole or not at all.
"""

from __future__ import annotations

from appliance.slots.keeper import Keeper, NoSlots, OnTrial, Status
from appliance.slots.paths import Paths

__all__ = ["Keeper", "NoSlots", "OnTrial", "Paths", "Status"]
