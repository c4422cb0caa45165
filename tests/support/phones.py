"""A guest's phone on the hotspot: joins by DHCP, resolves names as it was told, speaks HTTP, keeps no cookies."""

from __future__ import annotations

import http.client
import secrets
import socket
import ssl
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.support import dhcp, dns
from tests.support.namespaces import Namespace

# Browsers wait longer for both; an emulated processor with twenty phones takes its time with the second.
CONNECT_S, ANSWER_S = 10, 60
# A page that says it is busy is asked for so often at most.
TRIES, LONGEST_REFRESH_S = 5, 10.0
INTERFACE = "wlan0"


@dataclass(frozen=True)
class Answer:
    """What one request brought; ``headers`` have lower-case names, the last of several wins."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


@dataclass
class Form:
    """A form of a page, with what it would send untouched."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", "")))
        elif tag == "input" and self.found and given.get("name") and given.get("type") not in {"checkbox", "radio"}:
            self.found[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self.found and self._select and "selected" in given:
            self.found[-1].fields[self._select] = given.get("value", "1")


class Phone:
    """One phone. It has no address before ``join``."""

    def __init__(self, namespace: Namespace, number: int) -> None:
        self.namespace = namespace
        self.number = number
        self.lease: dhcp.DhcpAnswer | None = None
        self.dns = ""

    def join(self) -> dhcp.DhcpAnswer:
        """Join as a phone that was never here: with another hardware address, everything forgotten."""
        hardware = "02:" + ":".join(f"{each:02x}" for each in secrets.token_bytes(5))
        self.namespace.ip("address", "flush", "dev", INTERFACE)
        self.namespace.ip("link", "set", INTERFACE, "down")
        self.namespace.ip("link", "set", INTERFACE, "address", hardware)
        self.namespace.ip("link", "set", INTERFACE, "up")
        self.lease = self.namespace.inside(dhcp.ask, INTERFACE, hardware)
        self.configure(self.lease.address, self.lease.prefix, self.lease.router)
        self.dns = self.lease.dns
        return self.lease

    def configure(self, address: str, prefix: int, router: str) -> None:
        """Use this address."""
        self.namespace.ip("address", "flush", "dev", INTERFACE)
        self.namespace.ip("address", "add", f"{address}/{prefix}", "dev", INTERFACE)
        self.namespace.ip("route", "replace", "default", "via", router)

    def resolve(self, name: str, kind: int = dns.A, server: str = "") -> dns.DnsAnswer:
        """Ask the DNS server that DHCP named, or another one."""
        return self.namespace.inside(dns.ask, server or self.dns, name, kind)

    def reaches(self, address: str, port: int, patience_s: float = 3) -> bool:
        """Return whether somebody accepts a connection there; raises ``TimeoutError`` unless the answer comes soon."""
        return self.namespace.inside(_accepts, address, port, patience_s)

    def get(self, url: str, agent: str = "", **headers: str) -> Answer:
        """Ask for a page, whatever it answers; ``headers`` have underscores for dashes."""
        return self.request("GET", url, agent=agent, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        agent: str = "",
        headers: dict[str, str] | None = None,
        trust: str = "",
        address: str = "",
    ) -> Answer:
        """Send one request. HTTPS is checked against the authority in the file ``trust``; ``address`` instead of a name's."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        to = address or (host if host.replace(".", "").isdigit() else "") or self.resolve(host).addresses[0]
        sent = {"User-Agent": agent, **(headers or {})}
        return self.namespace.inside(request_at, method, url, to, body, sent, trust)

    def view(self, agent: str = "", trust: str = "") -> View:
        """Open a window: one of the phone's browsers."""
        return View(self, agent, trust)


@dataclass
class View:
    """A browser without cookies, storage and scripts: it follows links and redirects, and sends forms."""

    phone: Phone
    agent: str
    trust: str = ""
    at: Answer | None = None

    def open(self, url: str, method: str = "GET", form: dict[str, str] | None = None) -> Answer:
        """Go to a page, through at most five redirects; one that says that it tries again by itself does so, as in a browser."""
        target = urljoin(self.at.url, url) if self.at is not None else url
        headers = {"Accept-Language": "en"}
        body = None
        if form is not None:
            parts = urlsplit(self.at.url if self.at else target)
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"{parts.scheme}://{parts.netloc}",
            }
            body = urlencode(form).encode()
        for _ in range(5):
            answer = self._asked(method, target, body, headers)
            if answer.status not in {301, 302, 303, 307, 308}:
                self.at = answer
                return answer
            method, body = "GET", None
            headers = {"Accept-Language": "en"}
            target = urljoin(target, answer.headers["location"])
        raise AssertionError(f"too many redirects: {target}")

    def _asked(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], tries: int = TRIES
    ) -> Answer:
        answer = self.phone.request(method, target, body, agent=self.agent, headers=headers, trust=self.trust)
        again_s = answer.headers.get("refresh")
        if tries > 1 and method == "GET" and answer.status == 503 and again_s:
            time.sleep(min(float(again_s), LONGEST_REFRESH_S))
            return self._asked(method, target, body, headers, tries - 1)
        return answer

    @property
    def forms(self) -> list[Form]:
        """The forms of this page."""
        parser = _Forms()
        parser.feed(self.at.text if self.at else "")
        return parser.found

    def send(self, action: str, **fields: str) -> Answer:
        """Send the first form whose address ends so, with these ``fields`` over its own; a field given must fit if it has it."""
        for each in self.forms:
            wrong = {name for name, value in fields.items() if each.fields.get(name, value) != value}
            if each.action.endswith(action) and not wrong:
                return self.open(each.action, "POST", {**each.fields, **fields})
        page = f"{self.at.url} ({self.at.status}): {self.at.text[-3000:]}" if self.at else "no page"
        raise AssertionError(f"no form for {action} on {page}")

    def book(self, slug: str) -> Answer:
        """From the listing to the tickets, as a thumb would."""
        assert f"/events/{slug}" in self.open("/").text
        self.open(f"/events/{slug}")
        self.send("/holds")
        return self.send("/confirm")


def _accepts(address: str, port: int, patience_s: float) -> bool:
    try:
        socket.create_connection((address, port), patience_s).close()
    except (ConnectionRefusedError, PermissionError):
        return False
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise
        return False
    return True


def request_at(method: str, url: str, to: str, body: bytes | None, headers: dict[str, str], trust: str) -> Answer:
    """Send one request to the address ``to``, whatever the name in ``url`` leads to; the rest as `Phone.request`."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    sock = socket.create_connection((to, port), CONNECT_S)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=trust or None)
        sock = context.wrap_socket(sock, server_hostname=parts.hostname)
    sock.settimeout(ANSWER_S)
    http_client = http.client.HTTPConnection(parts.netloc)
    http_client.sock = sock
    try:
        http_client.request(method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        answer = http_client.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(url, answer.status, found, answer.read())
    finally:
        http_client.close()
