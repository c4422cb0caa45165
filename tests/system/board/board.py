"""The board as a person sees it: plug it in, wait, pull the plug; it boots again by itself when it resets."""

from __future__ import annotations

import contextlib
import random
import shlex
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system.board import bootrom
from tests.system.board.agent import Done, Unanswered, wanted
from tests.system.board.card import Card
from tests.system.board.machine import End, Hardware, Loaded, Machine, prepare, tail, wait_until
from tests.system.board.write_log import Kept

# What the kernel says last, as the firmware finds it in the reset register of a real board.
_TRYBOOT = "reboot: Restarting system with command '0 tryboot'"
# How much longer than a board an emulated one may take on a busy machine; timers of the firmware are stretched by it, since a slow boot is not a hanging one.
SLOWER = 10.0
BOOT_S = 600.0


@dataclass
class Boot:
    """One start of the board; ``end`` is how it ended, empty while it runs, and ``kept`` what the card made of the writes."""

    partition: int
    tryboot: bool
    began_s: float
    serial: Path
    end: End | None = None
    kept: Kept = field(default_factory=Kept)

    @property
    def console(self) -> str:
        """What came over the serial port."""
        return self.serial.read_text(errors="replace") if self.serial.exists() else ""


class Board:
    """A board with a card made from ``image``.

    ``faults`` maps a boot partition to words that are added to the kernel's command line there: how a test makes one slot panic
    or hang; ``slower`` maps one to how much longer than a board its kernel may take. ``lost`` decides what a power cut takes of what was not flushed. Everything is kept in ``folder`` (default: a temporary
    one, removed at the end).
    """

    def __init__(
        self,
        image: Path,
        *,
        hardware: Hardware | None = None,
        card_bytes: int = 0,
        folder: Path | None = None,
        lost: random.Random | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="board-") if folder is None else None
        self.folder = folder or Path(self._own.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hardware = hardware or Hardware()
        self.card = Card(image, self.folder, card_bytes)
        self.faults: dict[int, str] = {}
        self.boots: list[Boot] = []
        self.error: Exception | None = None
        self.slower: dict[int, float] = {}
        self._lost, self._say = lost or random.Random(0), say
        self._tryboot = False
        self._machine: Machine | None = None
        self._changed = threading.Condition()
        self._runner: threading.Thread | None = None
        self._stay_off = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.power_cut()
        if self._own is not None:
            self._own.cleanup()

    @property
    def now(self) -> Boot:
        """The boot that runs, or the last one."""
        return self.boots[-1]

    def start(self) -> None:
        """Plug it in. It then follows its own resets until it is switched off or cut."""
        if self._runner is not None and self._runner.is_alive():
            raise RuntimeError("the board is on")
        prepare()
        self._stay_off, self.error, before = False, None, len(self.boots)
        self._runner = threading.Thread(target=self._run, daemon=True)
        self._runner.start()
        self._await(lambda: len(self.boots) > before, 60)

    def run(self, command: str, timeout_s: float = 120.0) -> Done:
        """Run a command of the shell as root inside. Raises ``Unanswered``."""
        machine = self._machine
        if machine is None or not machine.agent.ready(BOOT_S):
            raise Unanswered(f"{command!r}: nobody is there; the console ends with:\n{tail(self.now.serial, 3000)}")
        return machine.agent.run(command, timeout_s)

    def check(self, command: str, timeout_s: float = 120.0) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.run(command, timeout_s)
        if done.status:
            raise AssertionError(f"{command!r} ended with {done.status}:\n{done.output}")
        return done.output

    def wait_boot(self, number: int, timeout_s: float = BOOT_S) -> Boot:
        """Wait until boot ``number`` (0 is the first) has an agent that answers."""
        self._await(lambda: len(self.boots) > number, timeout_s)
        machine = self._machine
        if machine is None or not machine.agent.ready(timeout_s):
            raise Unanswered(f"boot {number} did not get far:\n{tail(self.boots[number].serial, 3000)}")
        return self.boots[number]

    def wait_end(self, number: int, timeout_s: float = BOOT_S) -> End:
        """Wait until boot ``number`` has ended and its card has settled."""
        self._await(lambda: len(self.boots) > number and self.boots[number].end is not None, timeout_s)
        end = self.boots[number].end
        if end is None:
            raise Unanswered(f"boot {number} goes on")
        return end

    def reboot(self, timeout_s: float = BOOT_S) -> Boot:
        """Let the guest reboot; wait for the agent of the boot that follows."""
        number = len(self.boots)
        # The answer may be lost with the board.
        with contextlib.suppress(Unanswered):
            self.run("systemctl reboot", 30)
        return self.wait_boot(number, timeout_s)

    def power_cut(self) -> None:
        """Pull the plug: what was not flushed is lost by chance, and the one-shot flag for certain."""
        self._stay_off = True
        if self._machine is not None:
            self._machine.cut()
        if self._runner is not None:
            self._runner.join(120)
        self._tryboot = False

    def switch_off(self, timeout_s: float = 180.0) -> None:
        """Shut it down in an orderly way."""
        self._stay_off = True
        with contextlib.suppress(Unanswered):
            self.run("systemctl poweroff", 30)
        if self._runner is not None:
            self._runner.join(timeout_s)
            if self._runner.is_alive():
                raise Unanswered(f"it does not switch off:\n{tail(self.now.serial, 3000)}")

    def uplink(self, *, up: bool) -> None:
        """Plug the cable of the uplink in or out."""
        if self._machine is not None:
            self._machine.order("set_link", name="uplink", up=up)

    def mount_share(self) -> None:
        """Have ``hardware.share`` at /run/share inside."""
        self.check(
            "mkdir -p /run/share && { mountpoint -q /run/share || { modprobe 9pnet_virtio && mount -t 9p"
            " -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 share /run/share; }; }"
        )

    def phone(self, ssid: str, port: int, timeout_s: float = 600.0) -> None:
        """Put a phone on the air inside, which passes on connections to ``port`` of the test's network card to the portal.

        Needs two radios, ``hardware.share`` to be this project, and a forward to ``port``.
        """
        machine = self._machine
        self.mount_share()
        code = "/run/share/tests/system/board/air.py"
        self.check(
            f"systemctl is-active -q board-air || systemd-run -q --unit=board-air -p Restart=no"
            f" python3 -B {code} {shlex.quote(ssid)} {port}"
        )
        if machine is not None:
            machine.order("set_link", name="test", up=True)
        end_s = time.monotonic() + timeout_s
        while "joined as" not in (log := self.run("journalctl -b -u board-air -o cat --no-pager").output):
            if time.monotonic() > end_s or self.run("systemctl is-active -q board-air").status:
                raise AssertionError(f"the phone did not join:\n{log[-2000:]}")
            time.sleep(1)

    def _await(self, condition: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            met = self._changed.wait_for(lambda: condition() or self.error is not None, timeout_s)
        if self.error is not None:
            raise self.error
        if not met:
            raise Unanswered(f"the board did not get there in {timeout_s} s:\n{tail(self.now.serial, 3000)}")

    def _run(self) -> None:
        try:
            while self._once() in {"reset", "watchdog"} and not self._stay_off:
                pass
        except Exception as error:  # noqa: BLE001  told to whoever waits
            self.error = error
        finally:
            self._machine = None
            with self._changed:
                self._changed.notify_all()

    def _once(self) -> End:
        """Boot once, from the ROM to the end."""
        tryboot, self._tryboot = self._tryboot, False
        partition = bootrom.choose_partition(
            self.card.read(1, "autoboot.txt").decode(errors="replace"), tryboot=tryboot
        )
        plan = bootrom.read_config(self.card.read(partition, "config.txt").decode(errors="replace"), tryboot=tryboot)
        loaded = Loaded(
            kernel=self._loaded(partition, plan.kernel),
            initrd=self._loaded(partition, plan.initrd) if plan.initrd else None,
            cmdline=bootrom.command_line(
                self.card.read(partition, plan.cmdline).decode(),
                f"{wanted(self.hardware.radios, guards=self.hardware.guards)} {self.faults.get(partition, '')}",
            ),
            partition=partition,
            tryboot=tryboot,
        )
        number = len(self.boots)
        boot = Boot(partition, tryboot, time.monotonic(), self.folder / f"serial-{number}.log")
        machine = Machine(self.folder, self.hardware, loaded, self.card.insert(), boot.serial)
        self._machine = machine
        self._say(f"boot {number}: partition {partition}{' by tryboot' if tryboot else ''}")
        with self._changed:
            self.boots.append(boot)
            self._changed.notify_all()
        if plan.kernel_watchdog_s:
            patience_s = plan.kernel_watchdog_s * self.slower.get(partition, SLOWER)
            threading.Thread(target=_guard, args=(machine, patience_s), daemon=True).start()
        end = machine.wait()
        self._machine = None
        boot.kept = self.card.settle(self._lost if end == "cut" else None)
        self._tryboot = end == "reset" and _TRYBOOT in tail(boot.serial, 4000)
        self._say(f"boot {number}: ended by {end} after {time.monotonic() - boot.began_s:.0f} s")
        with self._changed:
            boot.end = end
            self._changed.notify_all()
        return end

    def _loaded(self, partition: int, name: str) -> Path:
        file = self.folder / f"loaded-{name.replace('/', '-')}"
        file.write_bytes(self.card.read(partition, name))
        return file


def _guard(machine: Machine, timeout_s: float) -> None:
    """The firmware's watchdog: resets unless the system has taken over by then, which the agent's hello stands for."""
    if not machine.agent.ready(timeout_s) and not machine.agent.gone:
        machine.reset()


@contextlib.contextmanager
def booted(board: Board) -> Iterator[Board]:
    """Start a board, wait for its agent, cut its power at the end."""
    with board:
        board.start()
        board.wait_boot(0)
        yield board


__all__ = ["Board", "Boot", "booted", "wait_until"]
