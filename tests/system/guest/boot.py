"""Boots the guest under QEMU, without KVM and without a network, and lets it run a suite against this tree."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.system.debian import Say
from tests.system.emulator import command
from tests.system.guest.root import PROJECT, Guest

MEMORY_MB = 1024
BOOT_S = 420.0
_EXIT = re.compile(r"^guest-exit: (\d+)\s*$", re.MULTILINE)


def run(guest: Guest, orders: str, say: Say, *, limit_s: float = 2400.0) -> int:
    """Run a shell script in the guest, passing on what it prints; returns its exit status.

    Raises ``SystemExit`` with the end of the console when the guest does not get that far within ``limit_s``.
    """
    with tempfile.TemporaryDirectory(prefix="guest-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "orders").mkdir()
        (folder / "orders" / "orders").write_text(orders)
        with _booted(guest, folder) as machine:
            status = _follow(folder / "suite.log", machine, say, limit_s)
        if status is None:
            console = (folder / "console.log").read_text(errors="replace")[-3000:]
            raise SystemExit(f"The guest did not finish. The end of its console:\n{console}")
        return status


@contextlib.contextmanager
def _booted(guest: Guest, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    # It ends with whoever waits for it, also where that one is killed.
    words = [
        "setpriv", "--pdeathsig", "KILL",
        *command("qemu-system-x86_64"), "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MB),
        "-display", "none", "-nodefaults", "-no-reboot", "-nic", "none", "-rtc", "base=utc",
        "-kernel", str(guest.kernel), "-initrd", str(guest.initrd),
        "-append", "root=/dev/vda rw console=ttyS0 panic=5 quiet systemd.show_status=false mitigations=off",
        # Every boot begins with the disk as it was built.
        "-drive", f"file={guest.disk},format=raw,if=virtio,snapshot=on",
        "-virtfs", f"local,path={PROJECT},mount_tag=project,security_model=none,readonly=on",
        "-virtfs", f"local,path={folder / 'orders'},mount_tag=orders,security_model=none,readonly=on",
        "-device", "virtio-rng-pci",
        "-serial", f"file:{folder / 'console.log'}", "-serial", f"file:{folder / 'suite.log'}",
    ]  # fmt: skip
    machine = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(folder)}
    )
    try:
        yield machine
    finally:
        machine.kill()
        machine.wait()


def _follow(log: Path, machine: subprocess.Popen[bytes], say: Say, limit_s: float) -> int | None:
    """Pass on the lines of the log as they come, until the guest says how it ended."""
    begun_s, told = time.monotonic(), 0
    while True:
        ended = machine.poll() is not None
        text = log.read_text(errors="replace") if log.exists() else ""
        whole = text.rfind("\n") + 1
        for line in text[told:whole].splitlines():
            say(line)
        told = max(told, whole)
        found = _EXIT.search(text)
        if found is not None:
            return int(found[1])
        waited_s = time.monotonic() - begun_s
        if ended or waited_s > limit_s or (not text and waited_s > BOOT_S):
            return None
        time.sleep(0.5)
