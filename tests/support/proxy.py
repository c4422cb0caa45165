"""nginx on the loopback interface, set up by the role's template, before two pools that only tell what they were asked."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.web import freshness, proxied
from tests.support.demo import wait_for
from tests.support.http import Answer
from tests.support.ports import free_port
from tests.support.programs import program
from tests.support.roles import render

NAME = "tickets.home.arpa"
Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Asked:
    """One request that reached a pool."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Pool:
    """A stand-in for ``marquee portal`` on a unix socket; ``answer`` decides what it says."""

    path: Path
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Reply] = lambda _asked: shared(b"page")
    stream: Callable[[], Iterator[bytes]] | None = None

    def start(self) -> _Server:
        """Listen."""
        server = _Server(str(self.path), _handler(self))
        threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True).start()
        return server


def shared(body: bytes, **headers: str) -> Reply:
    """Return a page as Flask gives it to the proxy: with the times it may be kept, and the mark in place of a key."""
    page = (
        b"<!doctype html><p>" + body + b'<input name="key" value="' + proxied.KEY_MARKER.encode() + b'">' + b" " * 500
    )
    kept = {"Cache-Control": freshness.PAGE.header(), "Content-Type": "text/html; charset=utf-8", "ETag": 'W/"one"'}
    return 200, {**kept, **headers}, page


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(path, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """End, and every connection with it."""
        self.shutdown()
        self.server_close()
        for each in tuple(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _handler(pool: Pool) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            pool.asked.append(asked)
            if pool.stream is not None:
                self._send(200, {"Content-Type": "text/event-stream"}, None)
                for part in pool.stream():
                    self.wfile.write(part)
                    self.wfile.flush()
                self.close_connection = True
                return
            self._send(*pool.answer(asked))

        do_POST = do_HEAD = do_GET  # noqa: N815  the names are the library's

        def _send(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *words: object) -> None:
            """Say nothing."""

    return Handler


@dataclass
class Proxy:
    """The running nginx and what is behind it."""

    folder: Path
    port: int
    admin_port: int
    guests: Pool
    staff: Pool
    servers: dict[str, _Server] = field(default_factory=dict)

    def __call__(
        self, method: str, path: str, body: bytes | None = None, *, source: str = "127.0.0.1", **headers: str
    ) -> Answer:
        """Send one request from an address of the loopback network; ``headers`` have underscores for dashes."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, 10, source_address=(source, 0))
        try:
            sent = {"Host": NAME, **{name.replace("_", "-"): value for name, value in headers.items()}}
            client.request(method, path, body, sent)
            answer = client.getresponse()
            return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())
        finally:
            client.close()

    def stop_guests(self) -> None:
        """Have the pool of guests gone, as while it restarts."""
        self.servers.pop("guests").stop()
        self.guests.path.unlink()

    def start_guests(self) -> None:
        """Have it back."""
        self.servers["guests"] = self.guests.start()

    @property
    def log(self) -> str:
        """What nginx wrote down; it does so once a second."""
        time.sleep(1.2)
        return "".join(path.read_text("utf-8") for path in self.folder.glob("*.log"))


@contextlib.contextmanager
def running(folder: Path, **given: object) -> Iterator[Proxy]:
    """Run nginx with the role's variables ``given``; over HTTP, staff too."""
    nginx = program("nginx")
    proxy = Proxy(folder, free_port(), free_port(), Pool(folder / "guests.sock"), Pool(folder / "staff.sock"))
    proxy.servers = {"guests": proxy.guests.start(), "staff": proxy.staff.start()}
    run = folder / "run"
    run.mkdir()
    variables: dict[str, object] = {
        "portal_address": "127.0.0.1",
        "portal_catch_address": "127.0.0.1",
        "portal_http_port": proxy.port,
        "portal_admin_listen": f"127.0.0.1:{proxy.admin_port}",
        "portal_staff": "open",
        "portal_guest_socket": str(proxy.guests.path),
        "portal_staff_socket": str(proxy.staff.path),
        "portal_access_log": str(folder / "access.log"),
        "portal_error_log": str(folder / "error.log"),
        "portal_user": "root",
        "portal_workers": 1,
        "portal_run": str(run),
    }
    (folder / "nginx.conf").write_text(render("portal", "nginx.conf.j2", **{**variables, **given}), encoding="utf-8")
    command = [nginx, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or _listens(proxy.port), "nginx", 20)
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield proxy
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        for server in proxy.servers.values():
            server.stop()


def _listens(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


def datagrams(path: Path) -> tuple[socket.socket, Callable[[], list[dict[str, str]]]]:
    """Listen at ``path`` as the bridge does; return the socket and a function that gives what has arrived."""
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    wire.bind(str(path))
    wire.settimeout(0.3)

    def arrived() -> list[dict[str, str]]:
        found = []
        with contextlib.suppress(TimeoutError):
            while True:
                found.append(json.loads(wire.recv(2048).decode().partition(": ")[2]))
        return found

    return wire, arrived
