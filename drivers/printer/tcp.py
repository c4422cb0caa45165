"""`escpos+tcp://host:9100?profile=TM-T20II&timeout=2`: a printer in the network, with a deadline on every wait."""

from __future__ import annotations

import socket
import struct
import time

from drivers.errors import BadDeviceUrl, DeviceTimeout, DeviceUnavailable
from drivers.printer.link import wait_for, wait_until_left
from drivers.printer.profile import DEFAULT_PROFILE, load_profile
from drivers.printer.stream import StreamPrinter
from drivers.url import DeviceUrl

DEFAULT_PORT = 9100
_CHUNK = 4096


def from_url(url: DeviceUrl) -> StreamPrinter:
    """The printer behind the address; options: profile, timeout (seconds to connect and to answer a question)."""
    url.check_options({"profile", "timeout"})
    if not url.host or url.path not in ("", "/"):
        raise BadDeviceUrl(f"{url.text!r} must look like escpos+tcp://host:9100.")
    profile = load_profile(url.text_option("profile", DEFAULT_PROFILE))
    timeout_s = url.number("timeout", 2.0, low=0.05, high=60)
    return StreamPrinter(TcpLink(url.host, url.port or DEFAULT_PORT), profile.name, timeout_s)


class TcpLink:
    """One connection; times are those of `time.monotonic`."""

    bytes_per_s = 500_000
    fresh_on_connect = True

    def __init__(self, host: str, port: int) -> None:
        self.name = f"{host}:{port}"
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def connect(self, until: float) -> None:
        """See `Link.connect`."""
        left_s = max(0.001, until - time.monotonic())
        try:
            connection = socket.create_connection(self._address, timeout=left_s)
        except TimeoutError:
            raise DeviceTimeout(f"No printer answered at {self.name} in time.") from None
        except OSError as error:
            raise DeviceUnavailable(f"Cannot reach the printer at {self.name}: {error.strerror or error}.") from None
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # A large buffer would take whole receipts for a printer that has stopped reading.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHUNK)
        # A close drops what the printer has not taken: half a job must not come out later by itself.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket = connection

    def close(self) -> None:
        """See `Link.close`."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, data: bytes, until: float) -> None:
        """See `Link.send`."""
        connection = self._connected()
        self._require_peer(connection)
        taken = 0
        while taken < len(data):
            if not wait_for(connection.fileno(), until, write=True):
                raise DeviceTimeout(f"The printer at {self.name} stopped taking data.", bytes_taken=taken)
            try:
                taken += connection.send(data[taken : taken + _CHUNK])
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone(error, taken) from None
        try:
            left = wait_until_left(connection.fileno(), until)
        except OSError as error:
            raise self._gone(error, taken) from None
        if not left:
            raise DeviceTimeout(f"The printer at {self.name} stopped taking data.", bytes_taken=taken)

    def receive(self, until: float) -> bytes:
        """See `Link.receive`."""
        connection = self._connected()
        if not wait_for(connection.fileno(), until, write=False):
            return b""
        try:
            data = connection.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error, 0) from None
        if not data:
            raise DeviceUnavailable(f"The printer at {self.name} closed the connection.")
        return data

    def port_status(self, _until: float) -> int | None:
        """See `Link.port_status`."""
        return None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise DeviceUnavailable(f"The printer at {self.name} is not connected.")
        return self._socket

    def _require_peer(self, connection: socket.socket) -> None:
        """A peer that hung up while idle would swallow the first job without an error."""
        try:
            waiting = connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError as error:
            raise self._gone(error, 0) from None
        if not waiting:
            raise DeviceUnavailable(f"The printer at {self.name} closed the connection.")

    def _gone(self, error: OSError, taken: int) -> DeviceUnavailable:
        return DeviceUnavailable(f"The printer at {self.name} is gone: {error.strerror or error}.", bytes_taken=taken)
