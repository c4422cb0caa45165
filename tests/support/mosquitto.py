"""A Mosquitto that runs on the shipped files, with certificates made for the test."""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from mqtt_bridge.broker import mosquitto
from mqtt_bridge.transport import Tls
from tests.support.authority import Authority
from tests.support.ports import free_port
from tests.support.programs import program

START_S = 10
USER = "mosquitto"


class SecureBroker:
    """Mosquitto with TLS, client certificates and access list; ``start`` and ``kill`` as often as you like.

    Its folder is a new one below the system's temporary folder, because started as root Mosquitto becomes its own user and must
    be able to enter it. ``client(name)`` gives the files that let ``name`` in.
    """

    def __init__(self, org: str = "org") -> None:
        self._path = program("mosquitto")
        self.folder = Path(tempfile.mkdtemp(prefix="marquee-mosquitto-"))
        self.authority = Authority(self.folder / "certs")
        self.port = free_port()
        self.url = f"mqtts://127.0.0.1:{self.port}"
        certificate, key = self.authority.issue("broker")
        self._files = mosquitto.BrokerFiles(
            org=org,
            ca=self.authority.file,
            certificate=certificate,
            key=key,
            revoked_certificates=self.authority.revoked,
            access_list=str(self.folder / mosquitto.ACCESS_LIST),
            port=self.port,
            bind="127.0.0.1",
            data=str(self.folder / "data"),
        )
        self._clients: dict[str, Tls] = {}
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "data").mkdir()
        self.write()

    @property
    def pid(self) -> int:
        """The process that listens."""
        assert self._process is not None
        return self._process.pid

    def client(self, name: str) -> Tls:
        """Return the files of ``name``'s certificate, issued at the first call."""
        if name not in self._clients:
            self._clients[name] = Tls(self.authority.file, *self.authority.issue(name))
        return self._clients[name]

    def write(self, *shut_out: str, **changes: str) -> None:
        """Write the broker's files; ``changes`` replaces lines of the configuration by their first word."""
        for path in mosquitto.write(self.folder, dataclasses.replace(self._files, shut_out=shut_out)):
            if path.name == mosquitto.CONFIG and changes:
                lines = path.read_text().splitlines()
                kept = [line for line in lines if line.split(" ")[0] not in changes]
                path.write_text("\n".join([*kept, *(f"{name} {value}" for name, value in changes.items()), ""]))

    def start(self) -> SecureBroker:
        """Listen."""
        if os.getuid() == 0:
            give(self.folder)
        command = [self._path, "-c", str(self.folder / mosquitto.CONFIG)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return self
            assert self._process.poll() is None, f"mosquitto did not start: {self.log()}"
            assert time.monotonic() < end, "mosquitto does not listen"
            time.sleep(0.02)

    def reload(self) -> None:
        """Let it read its access list and certificates again."""
        assert self._process is not None
        if os.getuid() == 0:
            give(self.folder)
        self._process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        """Return what it said."""
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """End it at once; what it had only in memory is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in peace."""
        self._end(signal.SIGTERM)

    def close(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(10)


def give(folder: Path) -> None:
    """Mosquitto's own user reads and writes here, as a package's would below /etc and /var/lib."""
    user, group = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, group)
