"""Plays single tasks of the roles on this machine, as the roles' own ansible.cfg says; what they write is sent to another folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import program
from tests.support.roles import ANSIBLE, ROLES

PROGRAM = ANSIBLE.parent / ".ops" / "bin" / "ansible-playbook"
LIMIT_S = 300


@dataclass(frozen=True)
class Round:
    """Tasks, what an inventory gives for them, and whether it is only asked what they would change."""

    tasks: Sequence[dict[str, Any]]
    given: dict[str, Any] = field(default_factory=dict)
    check: bool = False


@dataclass(frozen=True)
class Played:
    """How a run ended, and all it said."""

    status: int
    text: str

    @property
    def changed(self) -> list[set[str]]:
        """The tasks that changed something, of each round."""
        found: list[set[str]] = []
        task = ""
        for line in self.text.splitlines():
            if line.startswith("PLAY ["):
                found.append(set())
            elif line.startswith("TASK ["):
                task = line.partition("[")[2].partition("]")[0]
            elif line.startswith("changed:"):
                found[-1].add(task)
        return found


def tasks(role: str, *names: str, file: str = "main") -> list[dict[str, Any]]:
    """Return tasks of a role by their names, in the order of ``names``; all of the file where none is named."""
    found = yaml.safe_load((ROLES / role / "tasks" / f"{file}.yml").read_text(encoding="utf-8"))
    named = {each["name"]: each for each in found}
    return [named[each] for each in names or named]


def play(folder: Path, role: str, *rounds: Round) -> Played:
    """Play rounds of tasks, one after the other, with the variables of their role.

    ``/etc`` and ``/usr/local`` in what they write to are below ``folder``, and so are the units that systemctl enables and disables;
    nothing is started.
    """
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is missing; make it with: .ci/setup ops")
    book, systemctl = folder / "book.yml", folder / "bin" / "systemctl"
    book.write_text(yaml.safe_dump([_play(folder, role, each) for each in rounds]), encoding="utf-8")
    (folder / "templates").mkdir(exist_ok=True)
    for path in (*(ROLES / role / "templates").glob("*"), *(ANSIBLE / "templates").glob("*")):
        if not (link := folder / "templates" / path.name).exists():
            link.symlink_to(path)
    systemctl.parent.mkdir(exist_ok=True)
    systemctl.write_text(f'#!/bin/sh\nexec {program("systemctl")} --root={folder} "$@"\n', encoding="utf-8")
    systemctl.chmod(0o755)
    done = subprocess.run(
        [PROGRAM, "-i", "localhost,", book],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            "PATH": f"{systemctl.parent}:{os.environ.get('PATH', os.defpath)}",
            "SYSTEMD_OFFLINE": "1",
        },
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip
    return Played(done.returncode, done.stdout + done.stderr)


def _play(folder: Path, role: str, of: Round) -> dict[str, Any]:
    text = json.dumps(list(of.tasks))
    for each in ("/etc/", "/usr/local/"):
        text = text.replace(f'"{each}', f'"{folder}{each}')
    return {
        "name": "A part of a role",
        "hosts": "localhost",
        "gather_facts": False,
        "check_mode": of.check,
        "vars": {
            "ansible_connection": "local",
            **_read(role, "defaults", {}),
            **_read(role, "vars", {}),
            **of.given,
        },
        "tasks": json.loads(text),
        # Under their own names, but nothing of this machine is started.
        "handlers": [
            {"name": each["name"], "ansible.builtin.debug": {"msg": f"handled: {each['name']}"}}
            for each in _read(role, "handlers", [])
        ],
    }


def _read(role: str, kind: str, otherwise: Any) -> Any:
    path = ROLES / role / kind / "main.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else otherwise
