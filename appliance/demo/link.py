"""The cable between a venue and the broker: a TCP proxy that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading

_CHUNK = 65536
_CONNECT_S = 3.0


class Link:
    """Forwards connections to ``target`` while it is up; cut, it hangs up and refuses.

    The port stays reserved while the link is cut: the socket is bound and does not listen.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._pairs: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._closed = False
        self.heal()

    @property
    def up(self) -> bool:
        """Whether connections pass."""
        return self._listener is not None

    def heal(self) -> None:
        """Let connections pass; harmless when they do."""
        with self._lock:
            if self._listener is not None or self._closed:
                return
            listener = self._socket
            listener.listen(16)
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name=f"link-{self.port}", daemon=True).start()

    def cut(self) -> None:
        """Hang up on everyone and refuse new connections; harmless when cut."""
        with self._lock:
            listener, self._listener = self._listener, None
            if listener is None:
                return
            pairs = list(self._pairs)
            self._pairs.clear()
        _hang_up(listener)
        self._socket = _bound(self.port)
        for each in pairs:
            _hang_up(each)

    def close(self) -> None:
        """Give the port back."""
        self._closed = True
        self.cut()
        self._socket.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near, listener), daemon=True).start()

    def _join(self, near: socket.socket, listener: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, timeout=_CONNECT_S)
        except OSError:
            _hang_up(near)
            return
        for each in (near, far):
            each.settimeout(None)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            up = self._listener is listener
            if up:
                self._pairs |= {near, far}
        if not up:
            _hang_up(near)
            _hang_up(far)
            return
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()
        with self._lock:
            self._pairs -= {near, far}
        near.close()
        far.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _hang_up(connection: socket.socket) -> None:
    # A thread blocked in accept or recv wakes up only by a shutdown.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock
