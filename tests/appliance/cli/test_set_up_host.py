"""A plain ``marquee`` on a host that the roles set up: it names the command that has the host's settings, and does nothing."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from appliance import cli
from appliance.settings import host, meant_elsewhere
from tests.support.roles import ROLES, render

OF_A_DEVICE, OF_A_CLOUD = ("marquee.toml", "marquee-device"), ("cloud.toml", "marquee-cloud")
# They act on what is named or on the machine itself.
WITHOUT_SETTINGS = {"demo", "flash", "slot", "settings"}
RUN = re.compile(r"(?:/usr/lib/marquee/bin|/usr/bin)/marquee ([a-z-]+)")
UNITS = sorted(path for path in ROLES.glob("*/templates/*.service*.j2") if "/bin/marquee " in path.read_text("utf-8"))


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /etc/marquee, and nothing says whose settings are meant."""
    for name in host.MEANT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(host, "FOLDER", tmp_path / "etc")
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "etc"


def commands() -> dict[str, argparse.ArgumentParser]:
    found = next(each for each in cli.parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(found.choices)


@pytest.mark.parametrize(("file", "wrapper"), [OF_A_DEVICE, OF_A_CLOUD])
@pytest.mark.parametrize("command", ["ready", "operator-token", "doctor"])
def test_a_command_that_reads_settings_is_refused_and_names_the_one_to_use(
    etc: Path, capsys: pytest.CaptureFixture[str], file: str, wrapper: str, command: str
) -> None:
    """Exit status 2, and nothing was made."""
    (etc / file).touch()
    assert cli.main([command]) == 2
    assert capsys.readouterr() == ("", f"marquee: This host is set up: use sudo {wrapper} {command}.\n")
    assert list(etc.parent.iterdir()) == [etc]


def test_where_one_host_is_both_the_two_commands_are_named(etc: Path) -> None:
    for file, _ in (OF_A_DEVICE, OF_A_CLOUD):
        (etc / file).touch()
    expected = "This host is set up: use sudo marquee-device doctor or sudo marquee-cloud doctor."
    assert meant_elsewhere("doctor", None, {}) == expected


def test_who_says_whose_settings_are_meant_is_not_asked_again(etc: Path) -> None:
    """By option or by variable, as units, wrappers, tests and benchmarks do; a variable of something else says nothing of it."""
    (etc / "marquee.toml").touch()
    assert meant_elsewhere("doctor", "mine.toml", {}) == ""
    for name in host.MEANT:
        assert meant_elsewhere("doctor", None, {name: "/somewhere"}) == ""
        assert meant_elsewhere("doctor", None, {name: ""}) != ""
    assert meant_elsewhere("doctor", None, {"MARQUEE_LOG_LEVEL": "debug"}) != ""


def test_on_any_other_machine_nothing_is_refused(etc: Path) -> None:
    assert meant_elsewhere("doctor", None, {}) == ""
    etc.rmdir()
    assert meant_elsewhere("doctor", None, {}) == ""


def test_commands_that_need_no_settings_stay(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Slots are asked for by RAUC and at a prompt, cards are written anywhere."""
    (etc / "marquee.toml").touch()
    assert {name for name, each in commands().items() if not each.get_default("reads_settings")} | {"settings"} == (
        WITHOUT_SETTINGS
    )
    assert cli.main(["settings"]) == 0
    assert cli.main(["slot", "set-state", "X", "good"]) == 2
    said = capsys.readouterr().err
    assert "set-state needs a slot" in said and "set up" not in said


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_of_ours_says_whose_settings_are_meant_where_its_command_reads_any(unit: Path) -> None:
    """Otherwise it would be refused at every start."""
    text = render(unit.parent.parent.name, unit.name)
    run = set(RUN.findall(text))
    assert run and run <= commands().keys()
    assert run <= WITHOUT_SETTINGS or "\nEnvironment=MARQUEE_CONFIG=/etc/marquee/" in text


@pytest.mark.parametrize(("role", "script"), [("identity", "marquee-device.j2"), ("cloud", "marquee-cloud.j2")])
def test_the_commands_that_are_named_are_those_that_the_roles_install(role: str, script: str) -> None:
    """Each with the file that gives it away."""
    wrappers = {wrapper: file for file, wrapper in host.WRAPPERS.items()}
    name = script.removesuffix(".j2")
    assert f"MARQUEE_CONFIG={host.FOLDER / wrappers[name]}" in render(role, script)
    assert f"dest: /usr/local/sbin/{name}" in (ROLES / role / "tasks" / "main.yml").read_text("utf-8")


def test_scripts_that_units_run_have_their_units_settings_or_need_none() -> None:
    """RAUC's hand asks for slots alone; copies of the cloud are made in a unit with the cloud's settings."""
    scripts = {path for path in ROLES.glob("*/*/*") if path.is_file() and RUN.search(path.read_text("utf-8"))}
    others = {path.name for path in scripts - set(UNITS)}
    assert others == {"rauc-slot.j2", "backup.j2", "drill.j2"}
    assert "/bin/marquee slot " in render("update", "rauc-slot.j2")
    for unit in ("marquee-backup.service.j2", "marquee-restore-drill.service.j2"):
        assert "\nEnvironment=MARQUEE_CONFIG=/etc/marquee/cloud.toml\n" in render("backup", unit)
