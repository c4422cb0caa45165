"""A simulated printer on a TCP port: any program that prints ESC/POS may connect to it."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Self

from drivers.printer.exchange import exchange
from drivers.printer.model import Receipt
from drivers.printer.simulator import KEPT_RECEIPTS, Fault, SimulatedPrinter

MAX_CLIENTS = 8
_CHUNK = 4096
_RETRY_S = 0.5
_PAUSE_S = 0.05
_STOP_S = 5.0


class SimulatedPrinterServer:
    """Listens on `host:port` (0 picks a free port at the first start) in one thread between `start` and `stop`."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1", kept: int = KEPT_RECEIPTS) -> None:
        self.printer = SimulatedPrinter(kept)
        self._host = host
        self._port = port
        self._listener: socket.socket | None = None
        self._clients: list[socket.socket] = []
        self._stopping = threading.Event()
        self._seen_hang_ups = 0
        self._thread: threading.Thread | None = None
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self.printer.watch(self._wake)

    @property
    def port(self) -> int:
        """The port in use; known once started."""
        return self._port

    @property
    def url(self) -> str:
        """The address to give to `open_printer`."""
        return f"escpos+tcp://{self._host}:{self._port}"

    @property
    def fault(self) -> str | None:
        """The name of the present fault."""
        return self.printer.fault.value if self.printer.fault else None

    def set_fault(self, name: str | None) -> None:
        """Break the printer in one way of `Fault`, or mend it with None; raises `ValueError` for other names."""
        self.printer.set_fault(name)

    def receipts(self) -> list[Receipt]:
        """The kept receipts, oldest first."""
        return self.printer.receipts()

    def receipt_png(self) -> bytes | None:
        """What was printed last, or None."""
        return self.printer.receipt_png()

    def start(self) -> None:
        """Listen; raises `OSError` when the port is taken."""
        self._listen()
        self._thread = threading.Thread(target=self._run, name=f"printer-{self._port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and hang up; harmless when stopped."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(_STOP_S)
            self._thread = None
        self._hang_up()
        self._wake_in.close()
        self._wake_out.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_in.send(b"x")

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(MAX_CLIENTS)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        self._listener = listener

    def _hang_up(self) -> None:
        # The door first: a client that was hung up may knock again at once.
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for client in self._clients:
            client.close()
        self._clients.clear()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._seen_hang_ups != self.printer.hang_ups or not self.printer.plugged:
                self._seen_hang_ups = self.printer.hang_ups
                self._hang_up()
            elif self._listener is None:
                with contextlib.suppress(OSError):
                    self._listen()
            self._serve_once()

    def _serve_once(self) -> None:
        fault = self.printer.fault
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_out, selectors.EVENT_READ)
            if self._listener is not None:
                selector.register(self._listener, selectors.EVENT_READ)
            if fault is not Fault.STALL:
                for client in self._clients:
                    selector.register(client, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(_RETRY_S if self.printer.plugged else _PAUSE_S)]
        if self._wake_out in ready:
            with contextlib.suppress(OSError):
                self._wake_out.recv(_CHUNK)
        # The oldest first and alone: what a client that left had sent is printed before what the next one sends.
        talking = next((client for client in self._clients if client in ready), None)
        if talking is not None and self.printer.fault is fault:
            self._serve(talking)
        if self._listener in ready:
            self._accept()

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if len(self._clients) >= MAX_CLIENTS:
            client.close()
            return
        client.setblocking(False)
        # A small buffer, as in a real printer, so that one that stops reading is noticed soon.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)
        self._clients.append(client)

    def _serve(self, client: socket.socket) -> None:
        try:
            if exchange(self.printer, client.recv, lambda answers: _answer(client, answers), self._stopping.wait):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        client.close()
        self._clients.remove(client)


def _answer(client: socket.socket, answers: bytes) -> None:
    """Send what the printer says; a client that lets answers pile up loses them, as with a real printer."""
    with contextlib.suppress(BlockingIOError):
        client.send(answers)
