"""What gets installed is pinned, hashed and what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ["requirements.lock", "requirements-dev.lock"]
OPS = "requirements-ops.lock"
DEVICE = "requirements-device.lock"


def pins(lock: Path) -> dict[str, str]:
    """Version by canonical name."""
    lines = re.findall(r"^([\w.\-\[\]]+)==([^ ;]+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {canonicalize_name(name.split("[")[0]): version for name, version in lines}


def wanted(root: Path, *extras: str) -> list[Requirement]:
    """Requirements of the project with some extras and of its build, without those on itself."""
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    lines = project["dependencies"] + document["dependency-groups"]["build"]
    lines += [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [each for each in map(Requirement, lines) if each.name != project["name"]]


@pytest.mark.parametrize("name", [*LOCKS, OPS, DEVICE])
def test_every_pin_has_hashes_and_nothing_names_an_index(root: Path, name: str):
    text = (root / name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE)[1:]
    assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "://" not in text


@pytest.mark.parametrize(("name", "extras"), [(LOCKS[0], ["demo"]), (LOCKS[1], ["demo", "cloud", "dev"])])
def test_the_locks_meet_what_the_project_asks_for(root: Path, name: str, extras: list[str]):
    pinned = pins(root / name)
    unmet = [
        str(each)
        for each in wanted(root, *extras)
        if not each.specifier.contains(pinned.get(canonicalize_name(each.name), "0"))
    ]
    assert unmet == []


def test_the_development_lock_contains_the_other_one(root: Path):
    runtime, dev = pins(root / LOCKS[0]), pins(root / LOCKS[1])
    assert {name: dev.get(name) for name in runtime} == runtime


def test_the_operators_lock_meets_its_group_with_the_versions_of_the_others(root: Path):
    group = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["ops"]
    dev, ops = pins(root / LOCKS[1]), pins(root / OPS)
    assert [each.name for each in map(Requirement, group) if not each.specifier.contains(ops[each.name])] == []
    assert {name: ops[name] for name in ops.keys() & dev.keys()} == {
        name: dev[name] for name in ops.keys() & dev.keys()
    }


def test_hosts_get_what_the_project_asks_for_in_the_versions_that_the_tests_ran_with(root: Path):
    device, dev = pins(root / DEVICE), pins(root / LOCKS[1])
    asked = [each for each in wanted(root, "cloud") if each.name != "hatchling"]
    assert [
        str(each) for each in asked if not each.specifier.contains(device.get(canonicalize_name(each.name), "0"))
    ] == []
    assert {name: dev[name] for name in device} == device
    # pip would ask this machine about a condition, not the one that is built for.
    assert [line for line in (root / DEVICE).read_text(encoding="utf-8").splitlines() if " ; " in line] == []
