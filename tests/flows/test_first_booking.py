"""docs/operations.md, step by step: what it says to type is typed, on a cloud of this machine, until somebody is let in.

The cloud is the real one on loopback: authority, Mosquitto on the shipped files, reconciler. What the roles, the image and the board add is
tested where hosts and boards boot (``python -m tests.system``).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from appliance.demo.children import MarqueeProcess
from appliance.demo.venue import write_settings
from appliance.domain.setup import WORDS
from appliance.settings import PREFIX, read_settings
from tests.support.cards import file_on, make_image
from tests.support.demo import wait_for
from tests.support.http import Answer, request
from tests.support.keyboard import KEY, Keyboard
from tests.support.mosquitto import USER, give
from tests.support.pages import ROOT
from tests.support.ports import free_port
from tests.support.programs import program
from tests.support.steps import Block, Step, blocks_below, chapter, steps
from tests.support.town import CATALOGUE

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def test_the_steps_are_numbered_and_each_says_what_to_do_if_it_does_not_work() -> None:
    found = steps()
    assert [step.number for step in found] == list(range(1, 11))
    text = chapter().partition("\n### ")[0]
    assert text.count("*If not*") >= 7


def test_what_a_device_says_is_on_the_page_word_by_word() -> None:
    for what, remedy in WORDS.values():
        if remedy:
            assert f"| {what} | {remedy} |" in chapter()


def test_what_a_person_keeps_for_themselves_is_left_alone_by_git() -> None:
    kept = ("inventory/hosts.yml", "inventory/provisioning/hall-1.toml", "town.yaml", "hall-1.toml")
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *kept, "pyproject.toml"], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.stdout.split() == list(kept), done.stderr


def test_the_builder_of_the_image_alone_becomes_root(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    # What this run itself was told by make is not for the other one.
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}", "ARGS": "", "MAKEFLAGS": ""}
    done = subprocess.run(
        ["make", "-n", "image"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    as_root = [line for line in done.stdout.splitlines() if "sudo" in line]
    assert [line.split(" -m ")[-1].strip() for line in as_root if " -m " in line] == ["image build"]
    assert not any(".ci/setup" in line for line in as_root)
    assert ".ci/setup dev" in done.stdout


LED_NOWHERE = (
    (("cd ansible && true", "ls ansible"), "ls"),
    (("cp hall-1.toml inventory/provisioning/hall-1.toml",), "hall-1.toml"),
    (("(cd ansible && ../.ops/bin/ansible-playbook -i ../inventory site.yml --limit cloud)",), "hosts.yml"),
    (("(cd ansible && ../.ops/bin/ansible-playbook -i inventory/example site.yml --limit hall-9)",), "hall-9"),
    ((".ops/bin/ansible-playbook -i ansible/inventory/example ansible/site.yml --limit cloud",), "has no books"),
    ((".venv/bin/python -m image.application --architecture pdp11",), "pdp11"),
    (("make coffee",), "no target coffee"),
    (("marquee flash --list",), "marquee"),
    (("ssh -N -L 9090:127.0.0.1:9090 ops@cloud-1",), "not let through"),
    (("scp town.yaml cloud-1:/tmp/town.yaml",), "names no account"),
)


@pytest.mark.parametrize(("lines", "told"), LED_NOWHERE, ids=[lines[-1] for lines, _told in LED_NOWHERE])
def test_a_wrong_folder_and_what_is_not_there_are_mistakes(tmp_path: Path, lines: tuple[str, ...], told: str) -> None:
    keyboard = Keyboard(tmp_path, tmp_path / "cloud", tmp_path / "data", tmp_path / "sdb")
    (keyboard.clone / "town.yaml").write_text(_catalogue())
    with pytest.raises(AssertionError, match=told):
        keyboard.type(Block("", lines))


def test_the_wrapper_of_a_host_looks_for_files_in_its_own_folder(tmp_path: Path) -> None:
    cloud = tmp_path / "cloud"
    cloud.mkdir()
    write_settings(cloud / "cloud.toml", {"device": {"org": "town", "data": str(cloud)}})
    keyboard = Keyboard(tmp_path, cloud, tmp_path / "data", tmp_path / "sdb")
    checks = Block("cloud-1", ("sudo marquee-cloud import town.yaml --check",))
    (keyboard.hosts / "cloud-1" / "town.yaml").write_text(_catalogue())
    with pytest.raises(AssertionError, match="town.yaml"):
        keyboard.type(checks)
    (cloud / "town.yaml").write_text(_catalogue())
    assert "nothing is wrong with it" in keyboard.type(checks)[0]


ANOTHER = "A Pi that runs already, another one in its place, a stolen one"
TOLD = ("", "makes a card hall-2 of hall", "makes a card hall-1 of hall", "sealed")


@pytest.mark.slow
def test_what_is_typed_to_replace_or_to_seal_a_device_does_that(tmp_path: Path) -> None:
    """Each on a cloud that knows the device, with the operator's yes."""
    url = "https://127.0.0.1:8443"
    blocks = blocks_below(ANOTHER)
    assert len(blocks) == len(TOLD)
    registers = next(step for step in steps() if step.number == 4).blocks
    for number, (block, told) in enumerate(zip(blocks, TOLD, strict=True)):
        place = tmp_path / str(number)
        cloud = place / "cloud"
        cloud.mkdir(parents=True)
        settings: dict[str, dict[str, object]] = {
            "device": {"org": "town", "data": str(cloud)},
            "authority": {"url": url, "folder": str(cloud / "authority"), "broker_url": "mqtts://127.0.0.1:8883"},
        }
        write_settings(cloud / "cloud.toml", settings)
        (cloud / "town.yaml").write_text(_catalogue())
        keyboard = Keyboard(place, cloud, place / "data", place / "sdb")
        (keyboard.clone / "inventory").mkdir()
        shutil.copy(keyboard.clone / "ansible/inventory/example/hosts.yml", keyboard.clone / "inventory")
        keyboard.type(Block("cloud-1", ("sudo marquee-cloud authority init", "sudo marquee-cloud import town.yaml")))
        for each in registers:
            keyboard.type(each)
        assert told in "".join(keyboard.type(block, "yes"))


class Machines:
    """The cloud's host and the laptop as folders, and the processes on them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.cloud, self.data, self.card = folder / "cloud", folder / "data", folder / "sdb"
        self.cloud.mkdir()
        (folder / "logs").mkdir()
        self.folder, self.stack = folder, stack
        self.port, broker, authority = free_port(), free_port(), free_port()
        # Mosquitto becomes its own user, who gets nowhere below a folder of the tests.
        self.shared = Path(tempfile.mkdtemp(prefix="marquee-first-booking-"))
        stack.callback(shutil.rmtree, self.shared)
        self.shared.chmod(0o755)
        files = self.shared / "authority"
        self.config = self.cloud / "cloud.toml"
        write_settings(
            self.config,
            {
                "device": {"org": "town", "data": str(self.cloud)},
                "broker": {
                    "url": f"mqtts://127.0.0.1:{broker}", "ca": str(files / "client/ca.pem"),
                    "certificate": str(files / "client/reconciler.pem"), "key": str(files / "client/reconciler.key"),
                },
                "authority": {
                    "url": f"https://127.0.0.1:{authority}", "bind": f"127.0.0.1:{authority}", "folder": str(files),
                    "broker_url": f"mqtts://127.0.0.1:{broker}",
                },
            },
        )  # fmt: skip
        self.marquee(self.config, "authority", "init", *(["--broker-group", USER] if os.getuid() == 0 else []))
        self._broker(files / "broker", broker)
        # The first command that uses the database begins the cloud; without one the authority does not start.
        self.marquee(self.config, "operator-token")
        self.start("cloud", "authority", self.config)
        self.start("cloud", "reconciler", self.config)
        for each in (broker, authority):
            wait_for(partial(_listens, each), f"the server on port {each}", 60)
        self.keyboard = Keyboard(folder, self.cloud, self.data, self.card)
        (self.keyboard.clone / "town.yaml").write_text(_catalogue())
        image = make_image(folder)
        built = self.keyboard.clone / "build/image/pi4-pi5"
        built.mkdir(parents=True)
        image.packed.rename(built / "marquee.img.xz")
        image.bmap.rename(built / "marquee.img.bmap")
        self.card.write_bytes(b"\xa5" * (4 << 20))

    def _broker(self, certificates: Path, port: int) -> None:
        out = self.shared / "mosquitto"
        (out / "state").mkdir(parents=True)
        named = [f"--{name}={certificates / file}" for name, file in
                 (("ca", "ca.pem"), ("certificate", "broker.pem"), ("key", "broker.key"), ("revoked", "revoked.pem"))]  # fmt: skip
        self.marquee(self.config, "broker-config", "--out", str(out), "--bind=127.0.0.1", f"--port={port}", f"--state={out / 'state'}", *named)  # fmt: skip
        if os.getuid() == 0:
            give(out)
        running = self.stack.enter_context(subprocess.Popen([program("mosquitto"), "-c", out / "mosquitto.conf"]))
        self.stack.callback(running.terminate)

    def start(self, place: str, name: str, config: Path | str) -> None:
        process = MarqueeProcess(place, name, Path(config), ENVIRONMENT, self.folder / "logs")
        process.start()
        self.stack.callback(process.kill)

    def marquee(self, config: Path | str, *words: str, cwd: Path | None = None) -> str:
        """Run the command and return what it said."""
        command = [sys.executable, "-m", "appliance.cli", "--config", str(config), *words]
        done = subprocess.run(
            command, cwd=cwd, env=_environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def type(self, step: Step) -> list[str]:
        """Type what a step says, where it says so; return what came of each line."""
        return [said for block in step.blocks for said in self.keyboard.type(block, "sdb")]

    @property
    def device(self) -> str:
        """The settings of the device, as its units name them."""
        return f"{self.folder / 'marquee.toml'}:{self.data / 'device.toml'}"

    def boot(self) -> None:
        """What the units of the image do with the card, on this machine."""
        fleet: dict[str, dict[str, object]] = {
            "device": {"org": "marquee", "data": str(self.data), "board": "board"},
            "portal": {"bind": f"127.0.0.1:{self.port}"},
            "desk": {"printer": "sim://printer", "scanner": f"sim://scanner?control={self.folder / 'scanner'}"},
            "clock": {"mode": "trusted"},
        }
        write_settings(self.folder / "marquee.toml", fleet)
        file = self.folder / "provisioning.toml"
        file.write_bytes(file_on(self.card, "provisioning.toml"))
        # In a namespace of its own the name that it gives its host is nobody else's.
        command = ["unshare", "--uts", sys.executable, "-m", "appliance.cli", "--config", self.device]
        subprocess.run(
            [*command, "first-boot", "--file", str(file), "--ssh-keys", str(self.folder / "keys")],
            env=_environment(),
            check=True,
            timeout=60,
        )
        self.marquee(self.device, "enrol", "--once")
        for name in ("portal", "desk", "bridge"):
            self.start("hall", name, self.device)

    def look(self, *words: str) -> str:
        """A command that looks at the device, whatever it finds."""
        command = [sys.executable, "-m", "appliance.cli", "--config", self.device, *words]
        return subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=60, check=False
        ).stdout

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(method, f"http://127.0.0.1:{self.port}{path}", body, headers=sent)


def _catalogue() -> str:
    """Something that begins in half an hour."""
    now = datetime.now(UTC)
    times = {"starts": now + timedelta(minutes=30), "ends": now + timedelta(hours=3)}
    return CATALOGUE.format(seats=20, **{name: f"{at:%Y-%m-%dT%H:%M:%S}+00:00" for name, at in times.items()})


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def _environment() -> dict[str, str]:
    return {**ENVIRONMENT, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(tmp_path, stack)


@pytest.mark.slow
def test_from_an_empty_card_to_a_first_booking(machines: Machines) -> None:
    done: list[int] = []
    ticket = ""
    file = machines.keyboard.clone / "inventory/provisioning/hall-1.toml"
    for step in steps():
        said = machines.type(step)
        match step.number:
            case 3:
                assert "nothing is wrong with it" in said[1]
                assert not any(machines.keyboard.tmp.iterdir()), "its PINs stay on the cloud's host"
            case 4:
                assert file.stat().st_mode & 0o777 == 0o600
                assert not (machines.cloud / "hall-1.toml").exists()
            case 6:
                assert "is finished and was read back" in said[1]
            case 7:
                machines.boot()
                wait_for(lambda: machines.ask("GET", "/readyz").status == 200, "the portal", 60)
                settings = read_settings(machines.device, {})
                assert (settings.device.name, settings.device.venue) == ("hall-1", "hall")
                assert settings.hotspot.ssid == "The Hall"
                assert KEY.strip() in (machines.folder / "keys").read_text()
            case 8:
                assert "One Night" in said[0]
                assert "longer than the event" in said[0]
                assert "fail" not in {line.split()[0] for line in said[0].splitlines() if line[:1] != " "}, said[0]
            case 9:
                ticket = _book(machines)
            case 10:
                _admit(machines, ticket)
                assert not file.exists()
        done.append(step.number)
    assert done == list(range(1, 11))


def _book(machines: Machines) -> str:
    def available() -> int:
        items = machines.ask("GET", "/api/v1/availability").json["items"]
        return int(items[0]["available"]) if items else 0

    wait_for(available, "stock from the cloud", 60)
    [event] = machines.ask("GET", "/api/v1/events").json["events"]
    wanted = event["sessions"][0]["ticket_types"][0]["id"]
    held = machines.ask("POST", "/api/v1/holds", {"items": [{"ticket_type": wanted, "quantity": 1}]})
    assert held.status == 201, held
    order = machines.ask("POST", "/api/v1/orders", {"hold": held.json["hold"]})
    assert order.json["status"] == "confirmed", order
    return str(order.json["tickets"][0]["code"])


def _admit(machines: Machines, code: str) -> None:
    """Staff sign in, the scanner reads the ticket, and its stub comes out."""
    signed_in = machines.ask("POST", "/api/v1/staff/tokens", {"badge": "A7", "pin": "2468"})
    assert signed_in.status == 201, signed_in
    bearer = f"Bearer {signed_in.json['token']}"
    answer = machines.ask("POST", "/api/v1/check-ins", {"code": code}, Authorization=bearer)
    assert answer.json["verdict"] == "admitted", answer
    wait_for(lambda: "0 of the last" not in _spool(machines) and "on paper" in _spool(machines), "the stub", 30)


def _spool(machines: Machines) -> str:
    return next((line for line in machines.look("preflight").splitlines() if " spool " in line), "")
