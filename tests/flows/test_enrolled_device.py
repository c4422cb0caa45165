"""From an empty folder to a venue that sells: authority, Mosquitto, reconciler, provisioning file, setup page, certificate, stock."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.demo.town import EXAMPLE
from appliance.settings import PREFIX
from tests.support.ports import free_port
from tests.support.programs import program

pytestmark = [pytest.mark.slow, pytest.mark.system]


class Chain:
    """All processes, each a command of the product; a folder of its own that Mosquitto's user can enter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self.broker, self.authority, self.web = free_port(), free_port(), free_port()
        self._running: list[subprocess.Popen[bytes]] = []
        self.cloud = self._settings(
            "cloud",
            f"""
            [broker]
            url = "mqtts://127.0.0.1:{self.broker}"
            ca = "{folder}/authority/client/ca.pem"
            certificate = "{folder}/authority/client/reconciler.pem"
            key = "{folder}/authority/client/reconciler.key"
            [authority]
            url = "https://127.0.0.1:{self.authority}"
            bind = "127.0.0.1:{self.authority}"
            folder = "{folder}/authority"
            """,
        )
        fleet = self._settings("venue", f'[portal]\nbind = "127.0.0.1:{self.web}"')
        self.venue = f"{fleet}:{folder}/venue/device.toml"

    def _settings(self, name: str, more: str) -> str:
        path = self.folder / f"{name}.toml"
        path.write_text(f'[device]\norg = "town"\ndata = "{self.folder / name}"\n{more}\n', "utf-8")
        return str(path)

    def command(self, config: str, *words: str) -> str:
        """Run a command to its end."""
        done = subprocess.run(self._words(config, words), capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, config: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on; its log is named after it."""
        return self._started(self._words(config, words), words[0])

    def start_broker(self) -> subprocess.Popen[bytes]:
        """Mosquitto as the shipped files say, reading what the authority made."""
        certs = self.folder / "authority" / "broker"
        words = [f"--{name}={certs / file}" for name, file in self._FILES]
        state = self.folder / "mosquitto"
        state.mkdir(exist_ok=True)
        out = ("--out", str(state), "--state", str(state), "--bind", "127.0.0.1", "--port", str(self.broker))
        self.command(self.cloud, "broker-config", *out, *words)
        if os.getuid() == 0:
            shutil.chown(state, "mosquitto", pwd.getpwnam("mosquitto").pw_gid)
        return self._started([program("mosquitto"), "-c", str(state / "mosquitto.conf")], "mosquitto")

    _FILES = (("ca", "ca.pem"), ("certificate", "broker.pem"), ("key", "broker.key"), ("revoked", "revoked.pem"))

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8", errors="replace")

    def page(self, path: str = "/") -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", timeout=5) as answer:
                return str(answer.geturl().removeprefix(f"http://127.0.0.1:{self.web}") + "\n" + answer.read().decode())
        except OSError as error:
            return f"{type(error).__name__}: {error}"

    def close(self) -> None:
        for each in reversed(self._running):
            each.terminate()
        for each in self._running:
            each.wait(60)

    def _words(self, config: str, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "appliance.cli", "--config", config, *words]

    def _started(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=kept)
        self._running.append(process)
        return process


@pytest.fixture
def chain() -> Iterator[Chain]:
    folder = Path(tempfile.mkdtemp(prefix="marquee-chain-"))
    chain = Chain(folder)
    try:
        yield chain
    finally:
        chain.close()
        shutil.rmtree(folder)


def until(what: str, true: Callable[[], bool], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def test_a_card_becomes_a_venue_that_sells_and_a_stolen_one_is_shut_out(chain: Chain) -> None:
    """Each step as an operator and a board do it; the portal's process is the same one from setup page to programme."""
    group = ("--broker-group", "mosquitto") if os.getuid() == 0 else ()
    chain.command(chain.cloud, "authority", "init", *group)
    chain.command(chain.cloud, "import", str(EXAMPLE))
    file = chain.folder / "hall-1.toml"
    chain.command(chain.cloud, "provision", "hall-1", "lantern-hall", "--out", str(file), "--country", "DE")
    broker = chain.start_broker()
    for process in ("reconciler", "authority"):
        chain.start(chain.cloud, process)

    first_boot = ("first-boot", "--file", str(file))
    with contextlib.suppress(AssertionError):
        chain.command(chain.venue, "first-boot", "--file", str(chain.folder / "missing.toml"))
    portal = chain.start(chain.venue, "portal")
    until("the setup page", lambda: "no provisioning file" in chain.page())
    assert chain.page("/generate_204").startswith("/setup\n")
    chain.command(chain.venue, *first_boot)
    until("its next state", lambda: "asking the central office" in chain.page())
    chain.command(chain.venue, "enrol")
    chain.command(chain.venue, *first_boot)
    assert not file.exists()
    bridge = chain.start(chain.venue, "bridge")
    until("the programme on sale", lambda: "/setup" not in (page := chain.page()) and "/events/" in page)
    assert portal.poll() is None

    chain.command(chain.cloud, "seal", "hall-1", "--stolen", "--yes")
    revoked = chain.folder / "authority" / "broker" / "revoked.pem"
    before = revoked.read_bytes()
    until("the revocation list", lambda: revoked.read_bytes() != before)
    broker.send_signal(signal.SIGHUP)
    bridge.terminate()
    bridge.wait(60)
    chain.start(chain.venue, "bridge")
    until("the broker's refusal", lambda: "revoked" in chain.log("bridge"))
