"""The shared pages behind nginx, set up by the role's template, against nginx serving the same bytes from a file; one worker each.

The load is pipelined over a few connections, so that nginx and not the client is what is measured; both sides get the same. What reaches
Python is read from the portal's own figures.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from appliance.services import sync
from bench import venue
from bench.servers import ProgramMissing
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.catalogue import Event, Quota, TicketType
from tests.support.roles import defaults, render

NAME = "tickets.home.arpa"
ROUNDS, EVENTS = 5, 12
# Pipelined requests on each of these connections; nginx closes one after a thousand requests.
_DEPTH, _CONNECTIONS, _MOST = 50, 6, 1000
_WORDS = {"/": "listing", "/events/bench": "an event's page with a key in each copy"}
_ANSWER, _REFUSAL = b"HTTP/1.1 200", re.compile(rb"HTTP/1\.1 (?!200)\d{3}")
_FILE = """\
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    include /etc/nginx/mime.types;
    sendfile on;
    open_file_cache max=500 inactive=60s;
    tcp_nodelay on;
    keepalive_requests 1000;
    gzip on;
    gzip_comp_level 5;
    gzip_min_length 400;
    access_log {folder}/access.log combined buffer=16k flush=1s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
    }}
}}
"""


@dataclass(frozen=True)
class Compared:
    """Processor time of a request to our nginx and to the one with files in us, medians of ``ROUNDS``.

    ``ratio`` is theirs to ours, ``size`` the bytes of the page. Requests per second of a clock would say more about what else the machine does.
    """

    page: str
    zipped: bool
    ours_us: float
    files_us: float
    ratio: float
    size: int


@dataclass(frozen=True)
class Reached:
    """How many requests for ``page`` were answered by nginx, and how many of them Python saw, in so many seconds with so many buckets."""

    page: str
    buckets: int
    answered: int
    python: int
    seconds: float


def rows(compared: list[Compared], reached: list[Reached]) -> list[tuple[str, str, str]]:
    """Return what was measured as lines of the page."""
    lines = [
        (
            f"{_WORDS[each.page]} of {each.size / 1000:.0f} kB behind nginx, {'compressed' if each.zipped else 'not compressed'}",
            f"{1e6 / each.ours_us:.0f} requests per second of nginx's processor time",
            f"{each.ratio:.2f}x nginx serving the same bytes from a file ({1e6 / each.files_us:.0f})",
        )
        for each in compared
    ]
    for each in reached:
        copies = "" if each.buckets == 1 else f", {min(each.buckets, _CONNECTIONS)} buckets of experiments"
        a_second = each.python / each.seconds
        told = f"{a_second:.1f} a second" + ("" if each.buckets == 1 else " for all copies")
        lines.append(
            (
                f"{_WORDS[each.page]}{copies}: requests that reach Python",
                told,
                f"of {each.answered} in {each.seconds:.0f} s",
            )
        )
    return lines


def measure(folder: Path, seconds: float) -> tuple[list[Compared], list[Reached]]:
    """Measure everything; each step takes ``seconds``."""
    port = venue.free_port()
    _programme(_new(folder, "data"), port)
    with _portal(folder), _files(_new(folder, "plain"), port) as files:
        compared, reached = [], []
        for buckets in (defaults("portal")["portal_buckets"], 1):
            with _proxy(_new(folder, f"proxy{buckets}"), folder, buckets) as (ours, admin):
                for page in ("/", "/events/bench"):
                    reached.append(_reached(ours, admin, page, buckets, 2 * seconds))
                    if buckets > 1:
                        copy = folder / "plain" / "files" / (page.strip("/") or "index.html")
                        compared += [
                            _compared(ours, files, page, copy, zipped=zipped, seconds=seconds)
                            for zipped in (False, True)
                        ]
        return compared, reached


def _programme(data: Path, port: int) -> None:
    """A listing as long as a venue's: twelve events."""
    box, one = venue.open_box(data, port), venue.catalogue()
    more = []
    for number in range(2, EVENTS + 1):
        slug = f"evening-{number}"
        quota = Quota(ids.quota_id(slug, "now", "seats"), "seats", 100)
        type_ = TicketType(ids.ticket_type_id(slug, "now", "Seat"), "Seat", quota.id, 1200, "EUR")
        first = one.events[0].sessions[0]
        at = replace(first, id=ids.event_session_id(slug, "now"), quotas=(quota,), ticket_types=(type_,))
        words = "An evening of songs, told by those who were there and wrote them down."
        more.append(Event(ids.event_id(slug), slug, f"Songs of the River, part {number}", words, (at,)))
    box.run(lambda unit: sync.apply_catalogue(unit, replace(one, version=2, events=(*one.events, *more))))
    box.database.close()


@dataclass(frozen=True)
class _Nginx:
    port: int
    pid: int
    name: str


def _compared(ours: _Nginx, files: _Nginx, page: str, copy: Path, *, zipped: bool, seconds: float) -> Compared:
    body = _page(ours.port, page)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(body)
    path = {ours.port: page, files.port: f"/{copy.name}" if page == "/" else page}
    costs: dict[int, list[float]] = {ours.port: [], files.port: []}
    for _ in range(ROUNDS):
        for each in (ours, files):
            before = _ran_us(each)
            answered, _took = _load(each, path[each.port], seconds / ROUNDS, zipped=zipped)
            costs[each.port].append((_ran_us(each) - before) / answered)
    middle = statistics.median
    return Compared(
        page,
        zipped,
        middle(costs[ours.port]),
        middle(costs[files.port]),
        # Round by round, because what else runs on the machine changes what a processor's microsecond is worth.
        middle(their / our for our, their in zip(costs[ours.port], costs[files.port], strict=True)),
        len(body),
    )


def _ran_us(nginx: _Nginx) -> float:
    """Return how long nginx's worker has been running on a processor; ticks of 10 ms would be too coarse."""
    children = Path(f"/proc/{nginx.pid}/task/{nginx.pid}/children").read_text().split()
    return sum(int(Path(f"/proc/{child}/schedstat").read_text().split()[0]) for child in children) / 1000


def _reached(ours: _Nginx, admin: int, page: str, buckets: int, seconds: float) -> Reached:
    route = "GET /" if page == "/" else "GET /events/<slug>"
    before = _python(admin, route)
    answered, took = _load(ours, page, seconds, zipped=False)
    return Reached(page, buckets, answered, _python(admin, route) - before, took)


def _python(admin: int, route: str) -> int:
    """Return how many requests for a route the portal has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(rf'marquee_http_requests_total{{[^}}]*"{re.escape(route)}"[^}}]*}} ([0-9.e+]+)', text)
    return int(sum(map(float, found)))


def _load(nginx: _Nginx, page: str, seconds: float, *, zipped: bool) -> tuple[int, float]:
    """Ask for a page over and over; return (answers, seconds). Connections come from addresses of their own: phones."""
    accept = "Accept-Encoding: gzip\r\n" if zipped else ""
    request = f"GET {page} HTTP/1.1\r\nHost: {nginx.name}\r\nAccept-Language: en\r\n{accept}\r\n".encode() * _DEPTH
    connections = [_Connection(nginx.port, f"127.0.0.{number + 10}") for number in range(_CONNECTIONS)]
    answered, began = 0, time.perf_counter()
    try:
        while (took := time.perf_counter() - began) < seconds:
            for each in connections:
                each.send(request)
            answered += sum(each.receive(_DEPTH) for each in connections)
        return answered, took
    finally:
        for each in connections:
            each.close()


class _Connection:
    """One phone that asks for many pages at once; it counts the answers and does not look into them."""

    def __init__(self, port: int, source: str) -> None:
        self._port, self._source, self._sent = port, source, 0
        self._sock = self._connect()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), 10, (self._source, 0))

    def send(self, requests: bytes) -> None:
        if self._sent + _DEPTH > _MOST - 1:
            self._sock.close()
            self._sock, self._sent = self._connect(), 0
        self._sent += _DEPTH
        self._sock.sendall(requests)

    def receive(self, answers: int) -> int:
        """Wait until the last answer has begun and its end has come; raises if one is not 200."""
        seen, tail, last = 0, b"", b""
        while seen < answers or not self._ended(last):
            data = self._sock.recv(1 << 18)
            if not data:
                raise ConnectionError("nginx hung up")
            whole = tail + data
            seen += whole.count(_ANSWER)
            if other := _REFUSAL.search(whole):
                raise RuntimeError(f"not 200: {whole[other.start() :][:200]!r}")
            tail = whole[-(len(_ANSWER) - 1) :]
            last = (last + data)[-(1 << 17) :]
        return seen

    @staticmethod
    def _ended(last: bytes) -> bool:
        """Return whether the last answer in ``last`` is complete, by its length or its last chunk."""
        start = last.rfind(_ANSWER)
        head, blank, body = last[start:].partition(b"\r\n\r\n")
        if start < 0 or not blank:
            return False
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")

    def close(self) -> None:
        self._sock.close()


def _page(port: int, path: str) -> bytes:
    client = http.client.HTTPConnection("127.0.0.1", port, 10)
    client.request("GET", path, headers={"Host": NAME, "Accept-Language": "en"})
    answer = client.getresponse()
    body = answer.read()
    client.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return body


@contextlib.contextmanager
def _portal(folder: Path) -> Iterator[None]:
    sock = folder / "guests.sock"
    settings = {
        **venue.variables(folder / "data", 1),
        "MARQUEE_LOG_LEVEL": "error",
        "MARQUEE_PORTAL_BIND": f"unix:{sock}",
        "MARQUEE_PORTAL_BEHIND_PROXY": "true",
        "MARQUEE_PORTAL_PUBLIC_URL": f"http://{NAME}",
    }
    process = subprocess.Popen([sys.executable, "-m", "appliance.cli", "portal"], env={**os.environ, **settings})
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as ready:
                ready.connect(str(sock))
                break
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@contextlib.contextmanager
def _proxy(folder: Path, portal: Path, buckets: int) -> Iterator[tuple[_Nginx, int]]:
    """Our nginx and the port of its figures. A handful of addresses stands for a crowd, so limits per phone are out of the way."""
    port, admin = venue.free_port(), venue.free_port()
    text = render(
        "portal",
        "nginx.conf.j2",
        portal_address="127.0.0.1",
        portal_catch_address="127.0.0.1",
        portal_http_port=port,
        portal_admin_listen=f"127.0.0.1:{admin}",
        portal_guest_socket=str(portal / "guests.sock"),
        portal_staff_socket=str(portal / "guests.sock"),
        portal_access_log=str(folder / "access.log"),
        portal_error_log=str(folder / "error.log"),
        portal_user="root",
        portal_workers=1,
        portal_run=str(folder),
        portal_buckets=buckets,
        portal_rush_per_second=1_000_000,
        portal_rush_burst=1_000_000,
    )
    with _nginx(folder, text, port):
        yield _Nginx(port, int((folder / "nginx.pid").read_text()), NAME), admin


@contextlib.contextmanager
def _files(folder: Path, _port: int) -> Iterator[_Nginx]:
    """A plain nginx that serves files, which it knows to be HTML."""
    port = venue.free_port()
    text = _FILE.format(folder=folder, port=port).replace("include /etc/nginx/mime.types;", "default_type text/html;")
    with _nginx(folder, text, port):
        yield _Nginx(port, int((folder / "nginx.pid").read_text()), "localhost")


@contextlib.contextmanager
def _nginx(folder: Path, text: str, port: int) -> Iterator[None]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise ProgramMissing("nginx is not installed: apt-get install nginx-light")
    if os.geteuid() != 0:
        text = re.sub(r"(?m)^user .*;$", "", text)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _new(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(mode=0o700)
    return path
