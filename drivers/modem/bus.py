"""Calls over D-Bus with a deadline on each, on jeepney's messages."""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageType, Parser, message_bus, new_method_call
from jeepney.bus import get_bus
from jeepney.io.blocking import prep_socket

from drivers.errors import DeviceTimeout, DeviceUnavailable

_CHUNK = 65_536


class BusError(Exception):
    """The other side answered with an error; `name` is its D-Bus name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{text or name}")
        self.name = name
        self.text = text


class Bus:
    """One connection, used by one thread. An answer that came too late is thrown away, not taken for another's."""

    def __init__(self, address: str, within_s: float) -> None:
        """Connect; `address` is `SYSTEM` or a D-Bus address. Raises `DeviceUnavailable`."""
        self._serials = itertools.count(1)
        self._parser = Parser()
        try:
            self._socket: socket.socket = prep_socket(get_bus(address), timeout=within_s)
        except (OSError, ValueError, RuntimeError, StopIteration) as error:
            raise DeviceUnavailable(f"The system's message bus cannot be reached: {error}.") from None
        try:
            self._exchange(message_bus.Hello(), within_s)
        except (DeviceTimeout, DeviceUnavailable, BusError):
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def call(self, where: DBusAddress, method: str, signature: str, body: tuple[Any, ...], within_s: float) -> Any:
        """The values a method answers with; raises `BusError`, `DeviceTimeout`, or `DeviceUnavailable` when the bus is gone."""
        return self._exchange(new_method_call(where, method, signature or None, body), within_s)

    def _exchange(self, message: Message, within_s: float) -> Any:
        until = time.monotonic() + within_s
        serial = next(self._serials)
        try:
            self._socket.settimeout(within_s)
            self._socket.sendall(message.serialise(serial=serial))
            answer = self._answer(serial, until)
        except TimeoutError:
            raise DeviceTimeout("The modem's service did not answer in time.") from None
        except OSError as error:
            raise DeviceUnavailable(f"The system's message bus is gone: {error.strerror or error}.") from None
        if answer.header.message_type is MessageType.error:
            name = str(answer.header.fields.get(HeaderFields.error_name, ""))
            raise BusError(name, str(answer.body[0]) if answer.body else "")
        return answer.body

    def _answer(self, serial: int, until: float) -> Message:
        while True:
            while (message := self._parser.get_next_message()) is not None:
                if message.header.fields.get(HeaderFields.reply_serial) == serial:
                    return message
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(left_s)
            data = self._socket.recv(_CHUNK)
            if not data:
                raise ConnectionResetError
            self._parser.add_data(data)
