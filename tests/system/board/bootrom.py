"""What the boot ROM and the firmware decide, as pure rules: which partition, which kernel, which command line.

Source: Raspberry Pi's documentation of autoboot.txt, config.txt and tryboot.
"""

from __future__ import annotations

from dataclasses import dataclass

AUTOBOOT_BYTES = 512
# Filters that hold on every board; others (models, GPIO) select nothing here.
_ALWAYS = {"all", "none"}


class NoBoot(Exception):
    """The firmware would stop here; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What config.txt of a boot partition asks for; names of files in that partition."""

    kernel: str
    initrd: str
    cmdline: str
    kernel_watchdog_s: float


def choose_partition(autoboot: str, *, tryboot: bool) -> int:
    """Return the number of the partition to boot from. Raises ``NoBoot`` where the ROM would find none."""
    if len(autoboot.encode()) > AUTOBOOT_BYTES:
        raise NoBoot(f"autoboot.txt is longer than {AUTOBOOT_BYTES} bytes")
    values = dict(_lines(autoboot, tryboot=tryboot))
    number = values.get("boot_partition", "")
    if not number.isdigit():
        raise NoBoot("autoboot.txt names no boot_partition")
    return int(number)


def read_config(config: str, *, tryboot: bool) -> Plan:
    """Return what a boot partition's config.txt asks for."""
    kernel, initrd, cmdline, watchdog_s = "kernel8.img", "", "cmdline.txt", 0.0
    for key, value in _lines(config, tryboot=tryboot):
        if key == "kernel":
            kernel = value
        elif key == "initramfs":
            # `initramfs FILE followkernel` is written without an equals sign.
            initrd = value.split()[0]
        elif key == "cmdline":
            cmdline = value
        elif key == "kernel_watchdog_timeout":
            watchdog_s = float(value)
    return Plan(kernel, initrd, cmdline, watchdog_s)


def command_line(cmdline: str, extra: str = "") -> str:
    """Return the kernel's command line: the firmware names its serial port, and QEMU's is another than the board's."""
    words = [word.replace("serial0", "ttyAMA0") for word in cmdline.split()]
    if not any(word.startswith("console=ttyAMA0") for word in words):
        words.insert(0, "console=ttyAMA0,115200")
    return " ".join((*words, *extra.split()))


def _lines(text: str, *, tryboot: bool) -> list[tuple[str, str]]:
    """Return the keys and values in force, later ones last; a filter in brackets holds until the next one."""
    found, holds = [], True
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1].strip().lower()
            holds = name in _ALWAYS - {"none"} or (name == "tryboot" and tryboot) or name in {"pi4", "board-type=0x11"}
        elif line and holds:
            key, _, value = line.partition("=") if "=" in line else line.partition(" ")
            found.append((key.strip(), value.strip()))
    return found
