"""The hosts of the story, booted once and ended with it; the tests are its chapters, in order."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import time
import urllib.request
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.authority import Authority
from tests.support.namespaces import cable, namespaces
from tests.support.phones import Phone
from tests.system.fleet.books import Books
from tests.system.fleet.guests import Guest
from tests.system.fleet.hosts import Host, bridge, command, write_ssh_config

VENUES = {"hall-1": "hall", "yard-1": "yard", "loft-1": "loft"}
CONSOLE = "console.fleet.test"


@dataclass
class Fleet:
    """One cloud, three venues, a guest at each, and the books that set all of them up."""

    cloud: Host
    venues: dict[str, Host]
    guests: dict[str, Guest]
    books: Books
    console: Authority
    began_s: float
    token: str = ""
    ticket_type: str = ""

    @property
    def hosts(self) -> list[Host]:
        """All four."""
        return [self.cloud, *self.venues.values()]

    def marquee(self, words: str, stdin: str | None = None) -> str:
        """Run an operator's command in the cloud."""
        return self.cloud.run(f"marquee-cloud {words}", stdin=stdin)

    def stock(self) -> dict[str, Any]:
        """What the console says of the one quota, over HTTPS through nginx."""
        request = urllib.request.Request(
            f"https://{self.cloud.address}/api/v1/stock",
            headers={"Host": CONSOLE, "Authorization": f"Bearer {self.token}"},
        )
        context = ssl.create_default_context(cafile=self.console.file)
        connection = _Named(self.cloud.address, CONSOLE, context)
        return connection.ask(request)[0]


class _Named:
    """HTTPS to an address under a name that no server of names knows."""

    def __init__(self, address: str, name: str, context: ssl.SSLContext) -> None:
        self._address, self._name, self._context = address, name, context

    def ask(self, request: urllib.request.Request) -> Any:
        import http.client
        import socket

        plain = socket.create_connection((self._address, 443), 10)
        connection = http.client.HTTPSConnection(self._name, timeout=20)
        connection.sock = self._context.wrap_socket(plain, server_hostname=self._name)
        with contextlib.closing(connection):
            connection.request("GET", request.selector, headers=dict(request.header_items()))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, f"{answer.status}: {body[:500]!r}"
            return msgspec.json.decode(body)


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    work = Path(os.environ["MARQUEE_FLEET_WORK"])
    roots = {kind: Path(os.environ[f"MARQUEE_FLEET_{kind.upper()}"]) for kind in ("venue", "cloud")}
    began_s = time.monotonic()
    command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", str(work / "key"))
    phones = [f"phone-{name}" for name in VENUES]
    with namespaces("cloud", *VENUES, *phones) as made:
        spaces = dict(zip(("cloud", *VENUES, *phones), made, strict=True))
        numbers = {"cloud-1": 2, **{name: 11 + index for index, name in enumerate(VENUES)}}
        router = bridge(work, {f"02:00:00:00:20:{number:02x}": f"10.20.0.{number}" for number in numbers.values()})
        try:
            cloud = Host("cloud-1", 2, roots["cloud"], work, spaces["cloud"])
            venues = {name: Host(name, numbers[name], roots["venue"], work, spaces[name]) for name in VENUES}
            guests = {}
            for name in VENUES:
                cable(spaces[name], "wlan0", spaces[f"phone-{name}"], "wlan0")
                guests[name] = Guest(Phone(spaces[f"phone-{name}"], numbers[name]))
            console = _console_certificate(work, cloud)
            everybody = [cloud, *venues.values()]
            write_ssh_config(work, everybody)
            for each in everybody:
                each.boot()
            books = Books(work, Path(os.environ["MARQUEE_FLEET_ARCHIVES"]), cloud, list(venues.values()))
            yield Fleet(cloud, venues, guests, books, console, began_s)
        finally:
            # Everything else ends with this namespace of processes.
            router.kill()
            router.wait()


def _console_certificate(work: Path, cloud: Host) -> Authority:
    """The operators' own certificate for the console's name, which the project has no part in making."""
    authority = Authority(work / "certificates", "operators")
    certificate, key = authority.issue("console", CONSOLE)
    folder = cloud.tree / "etc/ssl/marquee"
    folder.mkdir()
    shutil.copy(certificate, folder / "console.pem")
    shutil.copy(key, folder / "console.key")
    (folder / "console.key").chmod(0o600)
    return authority


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the hosts have to say when a chapter failed."""
    report = yield
    fleet = item.funcargs.get("fleet") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and fleet is not None:
        for host in fleet.hosts:
            with contextlib.suppress(Exception):
                report.sections.append((f"log of {host.name}", host.journal()))
    return report
