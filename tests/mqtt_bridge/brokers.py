"""Real brokers on free ports of 127.0.0.1: the embedded one, and Mosquitto where it is installed."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Protocol

from mqtt_bridge.broker import EmbeddedBroker
from tests.support.ports import free_port


class Broker(Protocol):
    """What a test does with a broker."""

    url: str

    def start(self) -> object: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class Embedded(EmbeddedBroker):
    def __init__(self) -> None:
        super().__init__(free_port())

    def kill(self) -> None:
        assert self.pid is not None
        os.kill(self.pid, 9)
        self.stop()


class Mosquitto:
    """Mosquitto without a disk: whatever it held is gone when it stops."""

    def __init__(self, path: str, *lines: str) -> None:
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        plain = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence false"]
        self._config = "\n".join([*plain, *lines, ""])
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write(self._config)
            config.flush()
            Path(config.name).chmod(0o644)  # started as root it reads this as its own user
            command = [self._path, "-c", config.name]
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 10
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                    return
                assert self._process.poll() is None, "mosquitto did not start"
                assert time.monotonic() < deadline, "mosquitto does not listen"
                time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self.stop()
