"""A device with two slots, as files in a folder."""

from __future__ import annotations

import struct
from pathlib import Path

from appliance.domain.slots import Slot, autoboot, default_of
from appliance.slots import Keeper, Paths


class Machine:
    """A device's files, and what its firmware says of each boot."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.paths.autoboot.parent.mkdir(parents=True)
        self.paths.autoboot.write_bytes(autoboot("A"))
        self.keeper = Keeper(self.paths)
        self.boot(2)

    def boot(self, partition: int, *, tryboot: bool = False) -> None:
        for lost in (self.paths.trial, self.paths.reboot_parameter):
            lost.unlink(missing_ok=True)
        self.paths.firmware.mkdir(parents=True, exist_ok=True)
        for name, value in (("partition", partition), ("tryboot", int(tryboot))):
            (self.paths.firmware / name).write_bytes(struct.pack(">I", value))

    @property
    def default(self) -> Slot | None:
        return default_of(self.paths.autoboot.read_bytes())
