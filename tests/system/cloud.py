"""The cloud of one organisation on this machine: broker, authority, reconciler, each the product's own process.

A board reaches it at 10.0.2.2, which is this machine as QEMU's network shows it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.authority import Authority
from tests.support.ports import free_port
from tests.support.programs import program

SEEN_AS = "10.0.2.2"
ORG = "town"
VENUE = "hall"
EVENT = "long-night"
# The name on the certificate that devices are handed for their phones.
HANDED = "*.tickets.example.org"
_NTP_EPOCH_S = 2_208_988_800
_SETTINGS = """\
[device]
org = "{org}"
data = "{folder}/cloud"
[authority]
url = "https://{seen}:{authority}"
bind = "0.0.0.0:{authority}"
hosts = "127.0.0.1"
broker_url = "mqtts://{seen}:{broker}"
portal_name = "{name}"
portal_certificate = "{certificate}"
portal_key = "{key}"
[broker]
url = "mqtts://127.0.0.1:{broker}"
ca = "{folder}/cloud/authority/client/ca.pem"
certificate = "{folder}/cloud/authority/client/reconciler.pem"
key = "{folder}/cloud/authority/client/reconciler.key"
"""
_CATALOGUE = """\
venues:
  - {{id: hall, name: Town Hall, address: "1 Square"}}
limits: {{per_hold: 10, holds_per_client: 40, unpaid_per_client: 1000, free_per_client: 1000, share_per_client: 1}}
events:
  - slug: long-night
    title: The Long Night
    summary: One room, many tickets.
    sessions:
      - key: only
        venue: hall
        starts_at: {starts}
        ends_at: {ends}
        timezone: UTC
        quotas: {{room: 20000}}
        ticket_types:
          - {{name: Seat, price: 1.00 EUR, quota: room, policy: strict}}
"""


class Cloud:
    """Starts with the block and ends with it. ``provisioning`` gives a card's file."""

    def __init__(self) -> None:
        # Mosquitto becomes a user of its own, who must be able to enter.
        self.folder = Path(tempfile.mkdtemp(prefix="cloud-"))
        self.folder.chmod(0o755)
        self.authority_port, self.broker_port = free_port(), free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._clock: _Clock | None = None
        self._settings = self.folder / "cloud.toml"
        # Stands for an authority that phones know.
        self.public = Authority(self.folder / "public")

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._processes:
            each.terminate()
        for each in self._processes:
            try:
                each.wait(10)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()
        if self._clock is not None:
            self._clock.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def orders(self) -> set[str]:
        """Return the ids of all orders that the cloud knows as confirmed."""
        rows = sqlite3.connect(f"file:{self.folder / 'cloud' / 'cloud.db'}?mode=ro", uri=True, timeout=30)
        with contextlib.closing(rows):
            return {str(row[0]) for row in rows.execute("SELECT id FROM orders WHERE status = 'confirmed'")}

    def provisioning(self, device: str, *more: str) -> bytes:
        """Register a device and return the file that makes a card this device; ``more`` are options of ``marquee provision``."""
        out = self.folder / f"{device}.toml"
        # Simulated radios take more phones than those of the boards, for which the image's own number is.
        radio = ("--country", "DE", "--ssid", "Town Hall", "--stations", "20")
        self.marquee("provision", device, VENUE, "--out", str(out), *radio, *more)
        return out.read_bytes()

    def marquee(self, *words: str) -> str:
        """Run an errand of the cloud; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "appliance.cli", *words],
            env=self._environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"marquee {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def _start(self) -> None:
        certificate, key = self.public.issue(HANDED, HANDED, ends_in=dt.timedelta(days=60))
        self._settings.write_text(
            _SETTINGS.format(
                org=ORG, folder=self.folder, seen=SEEN_AS, authority=self.authority_port, broker=self.broker_port,
                name=HANDED, certificate=certificate, key=key,
            )
        )  # fmt: skip
        (self.folder / "cloud").mkdir(mode=0o711)
        self.marquee("authority", "init", "--broker-group", "mosquitto")
        for opened in (self.folder / "cloud", self.folder / "cloud" / "authority"):
            opened.chmod(0o711)
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86400))
        catalogue = self.folder / "catalogue.yaml"
        catalogue.write_text(_CATALOGUE.format(starts=f"{day} 20:00", ends=f"{day} 23:00"))
        self.marquee("import", str(catalogue))
        self._broker()
        self._run("authority")
        self._run("reconciler")
        self._clock = _Clock()

    def _broker(self) -> None:
        files = self.folder / "broker"
        state = self.folder / "broker-state"
        for each in (files, state):
            each.mkdir()
        shutil.chown(state, "mosquitto", "mosquitto")
        at = self.folder / "cloud" / "authority" / "broker"
        self.marquee(
            "broker-config", "--out", str(files), "--ca", str(at / "ca.pem"), "--certificate", str(at / "broker.pem"),
            "--key", str(at / "broker.key"), "--revoked", str(at / "revoked.pem"), "--port", str(self.broker_port),
            "--state", str(state),
        )  # fmt: skip
        self._spawn("broker", [program("mosquitto"), "-c", str(files / "mosquitto.conf")])

    def _run(self, *words: str) -> None:
        self._spawn(words[0], [sys.executable, "-m", "appliance.cli", *words])

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    command, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )
            )

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MARQUEE_")}
        return {**kept, "MARQUEE_CONFIG": str(self._settings)}


class _Clock:
    """A time server as small as it can be (RFC 4330): boards have no clock, and nothing here leads to the internet.

    Another cloud on this machine may tell the time already; this one takes over when that ends.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        self._over.set()
        self._socket.close()

    def _serve(self) -> None:
        while not self._bound():
            if self._over.wait(1):
                return
        while True:
            try:
                asked, whom = self._socket.recvfrom(512)
            except OSError:
                return
            if len(asked) >= 48:
                now = _stamp()
                # No warning, version 4, server; second stratum; poll 6, precision 2^-20; delay and dispersion small.
                head = struct.pack("!BBBbII4s", 0x24, 2, 6, -20, 0, 0x10, b"LOCL")
                self._socket.sendto(head + now + asked[40:48] + now + _stamp(), whom)

    def _bound(self) -> bool:
        with contextlib.suppress(OSError):
            self._socket.bind(("127.0.0.1", 123))
            return True
        return False


def _stamp() -> bytes:
    now_s = time.time() + _NTP_EPOCH_S
    return struct.pack("!II", int(now_s), int(now_s % 1 * 2**32))
