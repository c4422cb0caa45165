"""The embedded MQTT v5 broker of the demo and of tests: rumqttd in a child process. Production uses Mosquitto."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Self

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10

[v5.1]
name = "v5"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = 1048576
max_inflight_count = 200
"""


class BrokerMissing(RuntimeError):
    """This machine has no embedded broker; the sentence says what to use instead."""


class EmbeddedBroker:
    """A broker on 127.0.0.1 that forgets everything when it stops, and ends with this process."""

    def __init__(self, port: int) -> None:
        try:
            from iotcore import Broker  # an extra, built for x86-64 only
        except ImportError as error:
            msg = "no embedded broker here (iotcore is built for x86-64 only); give --broker mqtt://host:port of a Mosquitto"
            raise BrokerMissing(msg) from error
        self.port = port
        self.url = f"mqtt://127.0.0.1:{port}"
        self._make = Broker
        self._running: Any = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> Self:
        """Listen; raises ``OSError`` if the port is taken and ``RuntimeError`` if the broker does not come up in 10 s."""
        self.stop()
        self._folder = tempfile.TemporaryDirectory(prefix="marquee-broker-")
        config = Path(self._folder.name) / "broker.toml"
        config.write_text(_CONFIG.format(port=self.port), encoding="utf-8")
        try:
            self._running = self._make(config_path=str(config)).start()
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def pid(self) -> int | None:
        """The child's process id, None when it does not run."""
        process = None if self._running is None else self._running._process  # noqa: SLF001  has no public name
        return process.pid if process is not None and process.poll() is None else None

    def stop(self) -> None:
        """End the child; ``start`` may follow."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
