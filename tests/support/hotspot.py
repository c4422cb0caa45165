"""A venue's hotspot as its guests meet it: real dnsmasq, nftables, nginx and ``marquee portal``, set up by the roles' templates alone.

Namespaces stand for the machines: ``box`` is the device, ``uplink`` what is behind its other interface, ``phones`` guests. A bridge with
isolated ports stands for the access point, whose ``ap_isolate`` keeps phones from reaching each other by radio; packets are forwarded
in the box, so that the firewall and not a switched-off router is what stops them.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from appliance.domain.pins import hash_pin
from appliance.services import sync
from bench import venue
from mqtt_bridge import durable
from mqtt_bridge.protocol.catalogue import StaffMember
from tests.support.authority import Authority
from tests.support.box import BADGE, PIN
from tests.support.demo import wait_for
from tests.support.namespaces import Namespace, cable, namespaces
from tests.support.phones import Phone
from tests.support.programs import program
from tests.support.roles import defaults, render

# HANDED is a name whose certificate the cloud hands out; the roles know nothing of it.
NAME, SECURE, HANDED = "tickets.home.arpa", "v7.example.org", "tickets.example.org"
ADDRESS, CATCH = "192.168.4.1", "192.0.2.1"
UPLINK, BEHIND = "203.0.113.1", "203.0.113.2"
WEB, OTHER = 80, 8090


@dataclass
class Hotspot:
    """The running hotspot; ``certificate(ends_in)`` renews the portal's certificate and has DHCP told about it.

    ``handed``: the portal has one that was handed out, once ``certificate`` was called, and none before.
    """

    folder: Path
    box: Namespace
    uplink: Namespace
    phones: list[Phone]
    authority: Authority
    environment: dict[str, str]
    handed: bool = False
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    pools: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    nginx: subprocess.Popen[bytes] | None = None
    dnsmasq: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What nginx logged so far; lines are written once a second."""
        return (self.folder / "access.log").read_text(encoding="utf-8")

    def marquee(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours on the box."""
        command = [sys.executable, "-m", "appliance.cli", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip

    def certificate(self, ends_in: timedelta, *, tell: bool = True) -> int:
        """Put another certificate in its place and run the timer's command, which may ``tell`` dnsmasq; return its exit status."""
        made, key = self.authority.issue("portal", HANDED if self.handed else SECURE, ends_in=ends_in)
        if self.handed:
            pair = Path(key).read_bytes() + Path(made).read_bytes()
            durable.write(self.folder / "phones" / f"{HANDED}.pem", pair, 0o640)
        else:
            (self.folder / "portal.pem").write_bytes(Path(made).read_bytes())
            (self.folder / "portal.key").write_bytes(Path(key).read_bytes())
        words = ["--options", str(self.folder / "dhcp-options"), "--hosts", str(self.folder / "portal-hosts")]
        if tell:
            words += ["--reload", str(self.folder / "dnsmasq.pid")]
        return self.marquee("certificate", *words).returncode

    def start(self, name: str, *command: str, inside: bool = True) -> subprocess.Popen[bytes]:
        """Start a process of the box; it is ended with the hotspot."""
        words = self.box.command(*command) if inside else list(command)
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def portal(self, pool: str, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start one of the portal's two pools, ``guests`` or ``staff``, and wait until it listens."""
        process = self.start(pool, sys.executable, "-m", "appliance.cli", "portal", f"--{pool}")
        self.pools[pool] = process
        if wait:
            self.portal_listens(pool)
        return process

    def restart(self, pool: str) -> None:
        """Kill a pool and start another, as systemd would."""
        old = self.pools[pool]
        old.kill()
        old.wait()
        self.processes.remove(old)
        # A worker that is only just dying still takes connections.
        (self.folder / f"{pool}.sock").unlink()
        self.portal(pool)

    def give_addresses(self) -> None:
        """Start what gives out addresses and names."""
        words = ("--keep-in-foreground", "-C", str(self.folder / "dnsmasq.conf"))
        self.dnsmasq = self.start("dnsmasq", program("dnsmasq"), *words)

    def forget_leases(self) -> None:
        """Have DHCP forget what it gave out, as it does when the time is over."""
        assert self.dnsmasq is not None
        self.dnsmasq.terminate()
        self.dnsmasq.wait(10)
        self.processes.remove(self.dnsmasq)
        (self.folder / "dnsmasq.leases").unlink()
        self.give_addresses()

    def portal_listens(self, pool: str) -> None:
        """Wait until a pool listens."""
        wait_for(lambda: _listens(self.folder / f"{pool}.sock"), f"the pool of {pool}", 60)

    def stop(self) -> None:
        """End every process; nginx first, because the pools wait a while for whoever still has a connection to them."""
        if self.nginx is not None:
            self.nginx.send_signal(signal.SIGTERM)
            self.nginx.wait(10)
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def hotspot(folder: Path, phones: int = 2, *, handed: bool = False, **portal: object) -> Iterator[Hotspot]:
    """Run a hotspot with ``phones`` that have not joined yet; ``portal`` are variables of the role.

    ``handed``: as an image has it, with the device's own certificate alone until one is handed out.
    """
    tools = {name: program(name) for name in ("dnsmasq", "ip", "nft", "nginx")}
    with namespaces("box", "uplink", *(f"phone{number}" for number in range(phones))) as (box, uplink, *guests):
        _wire(box, uplink, guests)
        environment = _environment(folder, handed=handed)
        made = [Phone(each, number) for number, each in enumerate(guests)]
        running = Hotspot(folder, box, uplink, made, Authority(folder / "authority"), environment, handed)
        with _servers(box, uplink):
            try:
                _start(running, tools, portal)
                yield running
            finally:
                running.stop()


def _start(running: Hotspot, tools: dict[str, str], portal: dict[str, object]) -> None:
    folder = running.folder
    # Without the firewall a guest would reach all of it; otherwise nothing would be shown by not reaching it.
    phone = running.phones[0]
    phone.configure("192.168.4.9", 22, ADDRESS)
    assert phone.reaches(UPLINK, OTHER) and phone.reaches(BEHIND, WEB) and phone.reaches(ADDRESS, OTHER)
    (folder / "hotspot.nft").write_text(render("hotspot", "hotspot.nft.j2", hotspot_interface="ap0"), encoding="utf-8")
    running.box.run(tools["nft"], "-f", str(folder / "hotspot.nft"))
    if running.handed:
        (folder / "phones").mkdir(mode=0o750)
        portal = {**_HANDED, "portal_handed_folder": str(folder / "phones"), **portal}
    else:
        running.certificate(timedelta(hours=12), tell=False)
    _write_dnsmasq(folder, "" if running.handed else SECURE)
    running.give_addresses()
    _stock(Path(running.environment["MARQUEE_DEVICE_DATA"]))
    running.portal("guests", wait=False)
    running.portal("staff")
    running.portal_listens("guests")
    _write_nginx(folder, portal)
    running.nginx = running.start("nginx", tools["nginx"], "-c", str(folder / "nginx.conf"), "-g", "daemon off;")
    wait_for(lambda: phone.reaches(ADDRESS, WEB), "nginx", 30)


def _stock(data: Path) -> None:
    """A session that is on now, and somebody at its door."""
    box = venue.open_box(data, 1)
    staff = (StaffMember(BADGE, "Ada", hash_pin(PIN, bytes(16))),)
    box.run(lambda unit: sync.apply_catalogue(unit, replace(venue.catalogue(), version=2, staff=staff)))
    box.database.close()


_HANDED = {"portal_secure_name": "", "portal_certificate": "", "portal_certificate_key": "", "portal_staff": "own"}


def _write_dnsmasq(folder: Path, secure_name: str) -> None:
    text = render(
        "hotspot",
        "dnsmasq.conf.j2",
        hotspot_interface="ap0",
        hotspot_secure_name=secure_name,
        hotspot_leases_file=str(folder / "dnsmasq.leases"),
        hotspot_options_file=str(folder / "dhcp-options"),
        hotspot_hosts_file=str(folder / "portal-hosts"),
        hotspot_pid_file=str(folder / "dnsmasq.pid"),
        hotspot_user="root",
    )
    (folder / "dnsmasq.conf").write_text(text, encoding="utf-8")


def _write_nginx(folder: Path, portal: dict[str, object]) -> None:
    run = folder / "nginx"
    run.mkdir()
    given = {
        "portal_secure_name": SECURE,
        "portal_certificate": str(folder / "portal.pem"),
        "portal_certificate_key": str(folder / "portal.key"),
        "portal_guest_socket": str(folder / "guests.sock"),
        "portal_staff_socket": str(folder / "staff.sock"),
        "portal_gate": "/internal/token",
        "portal_seen_socket": str(folder / "seen.sock"),
        "portal_access_log": str(folder / "access.log"),
        "portal_error_log": str(folder / "error.log"),
        "portal_user": "root",
        "portal_workers": 1,
        "portal_run": str(run),
        # Several phones of the tests are one machine after the other, with one address.
        "portal_requests_burst": 400,
        "portal_rush_burst": 400,
        **portal,
    }
    (folder / "nginx.conf").write_text(render("portal", "nginx.conf.j2", **given), encoding="utf-8")


def _environment(folder: Path, *, handed: bool) -> dict[str, str]:
    data = folder / "data"
    data.mkdir(mode=0o700)
    outside = {key: value for key, value in os.environ.items() if not key.startswith("MARQUEE_")}
    return {
        **outside,
        **venue.variables(data, 1),
        "MARQUEE_PORTAL_BIND": f"unix:{folder / 'guests.sock'}",
        "MARQUEE_PORTAL_STAFF_BIND": f"unix:{folder / 'staff.sock'}",
        "MARQUEE_PORTAL_BEHIND_PROXY": "true",
        "MARQUEE_PORTAL_LEASES_FILE": str(folder / "dnsmasq.leases"),
        "MARQUEE_PORTAL_PUBLIC_URL": f"http://{NAME}",
        "MARQUEE_PORTAL_SECURE_URL": f"https://{HANDED if handed else SECURE}",
        "MARQUEE_PORTAL_CERTIFICATE": str(folder / (f"phones/{HANDED}.pem" if handed else "portal.pem")),
        "MARQUEE_PORTAL_HANDED_FOLDER": str(folder / "phones") if handed else "",
        "MARQUEE_PORTAL_SEEN_SOCKET": str(folder / "seen.sock"),
        "MARQUEE_PORTAL_CAPTIVE_HOURS": str(defaults("identity")["identity_captive_hours"]),
        # Each request that reaches Python is counted by its line, also those for files.
        "MARQUEE_LOG_LEVEL": "debug",
    }


def _wire(box: Namespace, uplink: Namespace, guests: list[Namespace]) -> None:
    box.ip("link", "add", "ap0", "type", "bridge", "forward_delay", "0")
    box.ip("address", "add", f"{ADDRESS}/22", "dev", "ap0")
    box.ip("link", "set", "ap0", "up")
    box.ip("address", "add", f"{CATCH}/32", "dev", "lo")
    for number, guest in enumerate(guests):
        cable(box, f"port{number}", guest, "wlan0")
        box.ip("link", "set", f"port{number}", "master", "ap0")
        box.ip("link", "set", f"port{number}", "type", "bridge_slave", "isolated", "on")
    cable(box, "up0", uplink, "eth0")
    box.ip("address", "add", f"{UPLINK}/24", "dev", "up0")
    uplink.ip("address", "add", f"{BEHIND}/24", "dev", "eth0")
    uplink.ip("route", "add", "192.168.4.0/22", "via", UPLINK)
    box.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")


@contextlib.contextmanager
def _servers(box: Namespace, uplink: Namespace) -> Iterator[None]:
    """Something that would answer: another service of the box on every address, and the internet."""
    servers = [box.inside(_web, OTHER), uplink.inside(_web, WEB), uplink.inside(_web, 443)]
    try:
        yield
    finally:
        for each in servers:
            each.shutdown()
            each.server_close()


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"something else")

    def log_message(self, format: str, *words: object) -> None:
        """Say nothing."""


def _web(port: int) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), _Answering)
    threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True).start()
    return server


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        return True
