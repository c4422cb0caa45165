"""The host's end of the agent: how it gets into an unmodified image, and how it is asked."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CODE = Path(__file__).with_name("inside.py")
# systemd takes units from credentials that the firmware hands over (systemd.system-credentials(7)).
_UNIT = """\
[Unit]
Description=Agent of the board's model
[Service]
LoadCredential=board.agent
# Where the board stands somebody tells the time.
ExecStartPre=-/bin/sh -c 'mkdir -p /run/systemd/timesyncd.conf.d && printf "[Time]\\nNTP=\\nNTP=10.0.2.2\\n" >/run/systemd/timesyncd.conf.d/99-board.conf && systemctl --no-block try-restart systemd-timesyncd'
ExecStart=/usr/bin/python3 -I %d/board.agent
Restart=always
# Who asks at what moment something is up must not wait for a processor itself.
StartupCPUWeight=10000
OOMScoreAdjust=-900
"""
_RADIO = """\
[Unit]
Description=Simulated radios
DefaultDependencies=no
After=systemd-modules-load.service
Before=systemd-udev-settle.service network-pre.target sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/modprobe mac80211_hwsim radios={radios}
"""


class Unanswered(Exception):
    """The agent gave no answer in time, or the power went meanwhile."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit status, and what it printed on both streams."""

    status: int
    output: str


def credentials(radios: int) -> dict[str, str]:
    """Return the credentials that bring the agent, and simulated radios if any are wanted.

    The firmware's table has 55 letters for a name, path included, so units have names of one letter.
    """
    given = {"board.agent": CODE.read_text(), "systemd.extra-unit.a.service": _UNIT}
    if radios:
        given["systemd.extra-unit.r.service"] = _RADIO.format(radios=radios)
    return given


def wanted(radios: int, *, guards: bool) -> str:
    """Return words of the kernel's command line that start these units; without ``guards`` the kernel lets others guess.

    What guards a processor against guesses has nothing to guard in an emulated one, which pays for page table isolation by emptying its
    own tables at every system call: a boot takes half as long again.
    """
    # An emulated board, on a machine that does other things too, finds its disk late, and its systemd may be kept waiting for longer than a board's watchdog allows.
    words = ["systemd.default_device_timeout_sec=900", "systemd.watchdog_sec=300", "systemd.wants=a.service"]
    if not guards:
        words += ["mitigations=off", "kpti=off"]
    if radios:
        words += ["systemd.wants=r.service"]
    return " ".join(words)


class Agent:
    """Speaks with the agent of one boot over QEMU's socket at ``path``."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._numbers = itertools.count(1)
        self._news = threading.Condition()
        self._answers: dict[int, Mapping[str, Any]] = {}
        self.boot_id = ""
        self.gone = False
        threading.Thread(target=self._listen, daemon=True).start()

    def ready(self, timeout_s: float) -> bool:
        """Wait until the agent has said hello."""
        with self._news:
            self._news.wait_for(lambda: self.boot_id or self.gone, timeout_s)
            return bool(self.boot_id) and not self.gone

    def run(self, command: str, timeout_s: float) -> Done:
        """Run a command of the shell in the guest. Raises ``Unanswered``."""
        number = next(self._numbers)
        order = {"id": number, "command": command, "timeout_s": timeout_s}
        try:
            self._socket.sendall(json.dumps(order).encode() + b"\n")
        except OSError as error:
            raise Unanswered(f"{command!r}: the board is off") from error
        with self._news:
            # The guest ends the command itself; only a guest that hangs is not heard by then.
            self._news.wait_for(lambda: number in self._answers or self.gone, timeout_s + 30)
            answer = self._answers.pop(number, None)
        if answer is None:
            raise Unanswered(f"{command!r}: {'the board went off' if self.gone else f'no answer in {timeout_s} s'}")
        if answer["status"] is None:
            raise Unanswered(f"{command!r} took longer than {timeout_s} s; it printed:\n{answer['output'][-2000:]}")
        return Done(answer["status"], answer["output"])

    def close(self) -> None:
        """Let go; whoever waits is told."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            for line in lines:
                self._heard(json.loads(line))
        with self._news:
            self.gone = True
            self._news.notify_all()

    def _heard(self, answer: Mapping[str, Any]) -> None:
        with self._news:
            if "hello" in answer:
                self.boot_id = answer["hello"]
            else:
                self._answers[answer["id"]] = answer
            self._news.notify_all()


def connected(path: Path, timeout_s: float) -> Agent:
    """Return the agent's end once QEMU listens. Raises ``Unanswered``."""
    end_s = time.monotonic() + timeout_s
    while True:
        try:
            return Agent(path)
        except OSError as error:
            if time.monotonic() > end_s:
                raise Unanswered(f"QEMU does not listen at {path}") from error
            time.sleep(0.05)
