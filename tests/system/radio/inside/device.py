"""The device in the guest: its settings, its certificate, portal, staff pages and desk as the application's user, nginx in front.

hostapd, dnsmasq, nftables, networkd and the second Wi-Fi are units that the role made; only what other roles set up is started here.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bench import venue
from drivers.errors import DeviceError
from drivers.hotspot.control import ControlSocket
from tests.support.authority import Authority
from tests.support.roles import render
from tests.system.radio.scenario import run, until

SECURE = "v7.example.org"
DATA, RUN, ETC = Path("/var/lib/marquee"), Path("/run/marquee"), Path("/etc/marquee")
DEVICE = DATA / "device.toml"
SOCKET = "/run/hostapd/wlan0"
OTHER = 8090
AS_MARQUEE = ("setpriv", "--reuid=marquee", "--regid=marquee", "--clear-groups")


@dataclass
class Device:
    """The running device."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def prepare(self) -> None:
        """Have a venue with a session that is on now."""
        RUN.mkdir(exist_ok=True)
        shutil.chown(RUN, "marquee", "marquee")
        os.environ["MARQUEE_CONFIG"] = f"{ETC}/marquee.toml:{DEVICE}"
        DATA.mkdir(mode=0o700, exist_ok=True)
        venue.open_box(DATA, 1).database.close()
        _give_away(DATA)

    def start(self) -> None:
        """Start everything that the role does not."""
        self._certificate()
        for words in (("portal", "--guests"), ("portal", "--staff"), ("desk",)):
            self._run(*AS_MARQUEE, sys.executable, "-m", "appliance.cli", *words)
        self._nginx()
        _other()
        until(lambda: (RUN / "portal.sock").exists() and (RUN / "staff.sock").exists(), "the portal listens", 240)

    def stop(self) -> None:
        """End what was started."""
        for each in self.processes:
            each.terminate()
        for each in self.processes:
            each.wait(20)

    def provision(self, *lines: str) -> None:
        """Give the device these settings of its own, and have hostapd begin with them."""
        DEVICE.write_text("\n".join([*lines, ""]))
        DEVICE.chmod(0o600)
        _give_away(DATA)
        run("systemctl", "restart", "hostapd.service", limit_s=120)
        on_air()

    def _run(self, *words: str) -> None:
        self.processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL))

    def _certificate(self) -> None:
        made, key = Authority(Path("/run/authority")).issue("portal", SECURE, ends_in=timedelta(hours=12))
        shutil.copy(made, ETC / "portal.pem")
        shutil.copy(key, ETC / "portal.key")
        reload = ("--reload", "/run/marquee-dnsmasq/dnsmasq.pid")
        run(
            sys.executable, "-m", "appliance.cli", "certificate", "--options", f"{RUN}/dhcp-options", *reload,
            limit_s=180,
        )  # fmt: skip

    def _nginx(self) -> None:
        own = Path("/run/marquee-nginx")
        own.mkdir(exist_ok=True)
        given = {
            "portal_secure_name": SECURE,
            "portal_certificate": f"{ETC}/portal.pem",
            "portal_certificate_key": f"{ETC}/portal.key",
            "portal_guest_socket": f"{RUN}/portal.sock",
            "portal_staff_socket": f"{RUN}/staff.sock",
            "portal_user": "root",
            "portal_workers": 1,
            "portal_run": str(own),
            "portal_access_log": "/dev/null",
            "portal_error_log": "stderr",
        }
        (own / "nginx.conf").write_text(render("portal", "nginx.conf.j2", **given))
        self._run("nginx", "-c", str(own / "nginx.conf"), "-g", "daemon off;")


def _give_away(folder: Path) -> None:
    for each in (folder, *folder.rglob("*")):
        shutil.chown(each, "marquee", "marquee")


def ask(command: str) -> str:
    """Ask hostapd over its control socket."""
    try:
        with contextlib.closing(ControlSocket(SOCKET, answer_s=10)) as control:
            return control.ask(command)
    except DeviceError as error:
        raise AssertionError(str(error)) from error


def on_air() -> None:
    """Wait until hostapd says that it is on the air."""
    until(lambda: "state=ENABLED" in ask("STATUS"), "hostapd is on the air", 180)


def hotspot_row() -> tuple[str, str]:
    """State and reason of the hotspot as the desk wrote them down for staff."""
    with contextlib.closing(sqlite3.connect(f"file:{DATA}/marquee.db?mode=ro", uri=True)) as rows:
        found = rows.execute("SELECT state, reason FROM hardware WHERE name = 'hotspot'").fetchone()
    return tuple(found) if found else ("", "")


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *words: object) -> None:
        """Say nothing."""


def _other() -> None:
    """Another service of the device on every address: what guests must not reach."""
    server = http.server.ThreadingHTTPServer(("0.0.0.0", OTHER), _Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
