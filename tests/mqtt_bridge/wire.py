"""A cable between a client and a server that can be cut, or swallow what one or both ends say while they believe in it."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading


class Wire:
    """Forwards TCP from ``port`` to ``target`` in one thread."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peer: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._silent = threading.Event()
        self._swallowed = {True: False, False: False}
        self._cut = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def silence(self) -> None:
        """Swallow everything from now on; no connection is closed."""
        self._silent.set()

    def swallow(self, *, of_client: bool) -> None:
        """Swallow what the client says (or what the server answers) from now on; the other direction works."""
        self._swallowed[of_client] = True

    def heal(self) -> None:
        """Work again; connections that were silenced stay dead."""
        self._silent.clear()
        self._swallowed = {True: False, False: False}

    def cut(self) -> None:
        """Close all connections once."""
        self._cut.set()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._hang_up()
        self._listener.close()
        self._selector.close()

    def _forward(self) -> None:
        while not self._stop.is_set():
            if self._cut.is_set():
                self._hang_up()
                self._cut.clear()
            for key, _ in self._selector.select(0.02):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._listener:
                    self._accept()
                elif sock in self._peer:
                    self._pass_on(sock)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target), 2)
        except OSError:
            client.close()
            return
        self._clients.add(client)
        for one, other in ((client, server), (server, client)):
            self._peer[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, sock: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = sock.recv(65536)
        if data and (self._silent.is_set() or self._swallowed[sock in self._clients]):
            return
        with contextlib.suppress(OSError):
            if data:
                self._peer[sock].sendall(data)
                return
        self._end(sock)

    def _end(self, sock: socket.socket) -> None:
        for each in (sock, self._peer[sock]):
            del self._peer[each]
            self._clients.discard(each)
            self._selector.unregister(each)
            each.close()

    def _hang_up(self) -> None:
        while self._peer:
            self._end(next(iter(self._peer)))
