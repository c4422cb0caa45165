"""Where everything about slots lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The files, below ``root``."""

    root: Path = Path("/")

    @property
    def autoboot(self) -> Path:
        """What the boot ROM reads: one sector on the first partition."""
        return self.root / "boot/marquee/autoboot.txt"

    @property
    def firmware(self) -> Path:
        """What the firmware says of this boot: ``partition`` and ``tryboot``, four bytes each, big end first."""
        return self.root / "proc/device-tree/chosen/bootloader"

    @property
    def ledger(self) -> Path:
        """What is kept across boots and shared by both slots."""
        return self.root / "var/lib/marquee-slots/ledger.json"

    @property
    def trial(self) -> Path:
        """Is there while the next reboot shall try the other slot; what it holds becomes ``reboot_parameter`` on the way down."""
        return self.root / "run/marquee-slots/tryboot"

    @property
    def reboot_parameter(self) -> Path:
        """What systemd hands to the kernel when it reboots (systemd-reboot.service(8))."""
        return self.root / "run/systemd/reboot-param"

    @property
    def shown(self) -> Path:
        """The status for whoever may not read the others."""
        return self.root / "run/marquee-slots/status.json"

    @property
    def database(self) -> Path:
        """The database of both slots, whose header says which programs can work in it."""
        return self.root / "var/lib/marquee/marquee.db"
