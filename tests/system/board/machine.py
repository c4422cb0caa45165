"""One power-on of the machine: QEMU from start to reset, switch-off or cut, and why it ended."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.system.board.agent import Agent, connected, credentials
from tests.system.emulator import command

End = Literal["reset", "watchdog", "off", "cut"]
_QEMU = "qemu-system-aarch64"
# The processor of a Pi 4. What the one of a Pi 5 has more costs an emulator more than it gives.
_CPU = "cortex-a72"
# Where QEMU's machine keeps the clock that no board has.
_CLOCK = "/pl031@9010000"
# The uplink's place on the PCI bus, and what stands there in the tree.
_SOCKET_SLOT = 0x10
_SOCKET = f"/pcie@10000000/ethernet@{_SOCKET_SLOT:x},0"


@dataclass(frozen=True)
class Hardware:
    """What the board consists of, besides its card.

    ``forwards`` are (port here, port there) on the second network card, of which only tests know; the first is the board's own socket, the
    uplink, behind which this host is 10.0.2.2 and comes in by what ``cable`` forwards. ``share`` is a folder that the guest may mount as 9p tag ``share``. With ``guards`` the kernel runs as on a
    board, whose processor guesses; only boots that are compared need that.
    """

    memory_mb: int = 1024
    radios: int = 0
    forwards: Sequence[tuple[int, int]] = ()
    cable: Sequence[tuple[int, int]] = ()
    share: Path | None = None
    clock: bool = False
    guards: bool = False


@dataclass(frozen=True)
class Loaded:
    """What the firmware has loaded: files of this host, the command line, and what it tells the kernel about itself."""

    kernel: Path
    initrd: Path | None
    cmdline: str
    partition: int
    tryboot: bool


def prepare() -> None:
    """Have the emulator ready; unpacking it the first time takes longer than a board may take to switch on."""
    command(_QEMU)


class Machine:
    """A running QEMU. ``serial`` is the file of what came over its serial port."""

    def __init__(self, folder: Path, hardware: Hardware, loaded: Loaded, card: Sequence[str], serial: Path) -> None:
        self.serial = serial
        self._hardware = hardware
        # Paths of sockets are short by law, wherever the test keeps its files.
        self._sockets = Path(tempfile.mkdtemp(prefix="board-"))
        self._cut = False
        self._seen: set[str] = set()
        # It ends with whoever waits for it, also where that one is killed.
        words = ["setpriv", "--pdeathsig", "KILL", *self._command(folder, loaded, card)]
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=(folder / "qemu.log").open("wb"))
        try:
            self.agent: Agent = connected(self._sockets / "agent", 30)
            self._monitor = socket.socket(socket.AF_UNIX)
            self._monitor.connect(str(self._sockets / "monitor"))
            self.order("qmp_capabilities")
            # Unplugged until a phone has it: nobody must take it for an uplink.
            self.order("set_link", name="test", up=False)
        except Exception:
            self._process.kill()
            raise
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def wait(self) -> End:
        """Wait for the end and tell what it was."""
        self._process.wait()
        self._watcher.join(5)
        self.agent.close()
        with contextlib.suppress(OSError):
            for each in self._sockets.iterdir():
                each.unlink()
            self._sockets.rmdir()
        if self._cut:
            return "cut"
        if "WATCHDOG" in self._seen:
            return "watchdog"
        return "reset" if "guest-reset" in self._seen else "off"

    def cut(self) -> None:
        """Take the power away."""
        self._cut = True
        self._process.kill()

    def order(self, name: str, /, **arguments: Any) -> None:
        """Give QEMU's monitor an order; its answer is not waited for."""
        self._monitor.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")

    def reset(self) -> None:
        """Do what a watchdog outside the processor does."""
        self._seen.add("WATCHDOG")
        # It may have ended by itself meanwhile.
        with contextlib.suppress(OSError):
            self.order("system_reset")

    def _watch(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._monitor.makefile("rb") as lines:
            for line in lines:
                told: Mapping[str, Any] = json.loads(line)
                if told.get("event") == "WATCHDOG":
                    self._seen.add("WATCHDOG")
                elif told.get("event") == "SHUTDOWN":
                    self._seen.add(told["data"]["reason"].replace("host-qmp-system-reset", "guest-reset"))

    def _command(self, folder: Path, loaded: Loaded, card: Sequence[str]) -> list[str]:
        hardware = self._hardware
        machine = [
            *command(_QEMU), "-M", "virt", "-cpu", _CPU, "-accel", "tcg,thread=multi", "-smp", "2",
            "-m", str(hardware.memory_mb), "-display", "none", "-nodefaults", "-no-reboot",
            *card, "-device", "virtio-blk-pci,drive=card,discard=off,write-zeroes=off",
            "-netdev", f"user,id=uplink{_forwards(hardware.cable)}",
            "-device", f"virtio-net-pci,netdev=uplink,addr={_SOCKET_SLOT:#x},romfile=,mac=52:54:00:6d:71:01",
            "-netdev", f"user,id=test,net=10.0.3.0/24,restrict=on{_forwards(hardware.forwards)}",
            "-device", "virtio-net-pci,netdev=test,romfile=,mac=52:54:00:6d:71:02",
            "-device", "virtio-rng-pci", "-device", "i6300esb", "-action", "watchdog=reset",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={self._sockets}/agent,server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=marquee.agent",
            "-qmp", f"unix:{self._sockets}/monitor,server=on,wait=off", "-serial", f"file:{self.serial}",
        ]  # fmt: skip
        if hardware.share is not None:
            machine += ["-virtfs", f"local,path={hardware.share},mount_tag=share,security_model=none,readonly=on"]
        for name, text in credentials(hardware.radios).items():
            file = folder / f"credential-{name}"
            file.write_text(text)
            machine += ["-fw_cfg", f"name=opt/io.systemd.credentials/{name},file={file}"]
        machine += ["-dtb", str(_device_tree(folder, hardware, loaded)), "-kernel", str(loaded.kernel)]
        if loaded.initrd is not None:
            machine += ["-initrd", str(loaded.initrd)]
        return [*machine, "-append", loaded.cmdline]


def _forwards(ports: Sequence[tuple[int, int]]) -> str:
    return "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in ports)


def _device_tree(folder: Path, hardware: Hardware, loaded: Loaded) -> Path:
    """Return the machine's tree with the firmware's words in it. It is made anew each time, for the random seeds in it."""
    tree = folder / "board.dtb"
    _run(*command(_QEMU), "-M", f"virt,dumpdtb={tree}", "-cpu", _CPU, "-smp", "2",
         "-m", str(hardware.memory_mb), "-display", "none")  # fmt: skip
    _run("fdtput", "-p", "-t", "u", str(tree), "/chosen/bootloader", "partition", str(loaded.partition))
    _run("fdtput", "-p", "-t", "u", str(tree), "/chosen/bootloader", "tryboot", str(int(loaded.tryboot)))
    # As on a board, whose tree calls its socket by this alias, systemd names it end0. The card's node has one below for what virtio finds in it.
    _run("fdtput", "-p", "-t", "x", str(tree), _SOCKET, "reg", f"{_SOCKET_SLOT << 11:x}", "0", "0", "0", "0")
    _run("fdtput", "-p", "-t", "s", str(tree), f"{_SOCKET}/network", "compatible", "virtio,device1")
    _run("fdtput", "-p", "-t", "s", str(tree), "/aliases", "ethernet0", f"{_SOCKET}/network")
    if not hardware.clock:
        _run("fdtput", "-r", str(tree), _CLOCK)
    return tree


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"})


def tail(path: Path, characters: int) -> str:
    """Return the end of a file that grows."""
    return path.read_text(errors="replace")[-characters:] if path.exists() else ""


def wait_until(condition: Any, timeout_s: float, every_s: float = 0.2) -> bool:
    """Wait until ``condition()`` holds; tell whether it did in time."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            return False
        time.sleep(every_s)
    return True
