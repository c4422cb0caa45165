"""Plays single tasks of the roles on this machine, as the roles' own ansible.cfg says; what they write is sent to another folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.roles import ANSIBLE, ROLES

PROGRAM = ANSIBLE.parent / ".ops" / "bin" / "ansible-playbook"


@dataclass(frozen=True)
class Played:
    """How a run ended, and all it said."""

    status: int
    text: str


def tasks(role: str, *names: str, file: str = "main") -> list[dict[str, Any]]:
    """Return tasks of a role by their names, in the order of ``names``."""
    found = yaml.safe_load((ROLES / role / "tasks" / f"{file}.yml").read_text(encoding="utf-8"))
    named = {each["name"]: each for each in found}
    return [named[each] for each in names]


def play(folder: Path, role: str, played: Sequence[dict[str, Any]], *words: str, **given: Any) -> Played:
    """Play tasks with the variables of their role, and ``given`` over them; ``/etc`` in what they write to is ``folder``'s."""
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is missing; make it with: .ci/setup ops")
    book = folder / "book.yml"
    variables = [str(path) for kind in ("defaults", "vars") if (path := ROLES / role / kind / "main.yml").exists()]
    text = json.dumps(list(played)).replace('"/etc/', f'"{folder}/etc/')
    handlers = ROLES / role / "handlers" / "main.yml"
    book.write_text(
        yaml.safe_dump(
            [
                {
                    "name": "A part of a role",
                    "hosts": "localhost",
                    "gather_facts": False,
                    "vars_files": variables,
                    "vars": {"ansible_connection": "local"},
                    "tasks": json.loads(text),
                    # Under their own names, but nothing of this machine is started.
                    "handlers": [
                        {"name": each["name"], "ansible.builtin.debug": {"msg": f"handled: {each['name']}"}}
                        for each in (yaml.safe_load(handlers.read_text("utf-8")) if handlers.exists() else ())
                    ],
                }
            ]
        ),
        encoding="utf-8",
    )
    if not (folder / "templates").exists():
        (folder / "templates").symlink_to(ROLES / role / "templates")
    done = subprocess.run(
        [PROGRAM, "-i", "localhost,", "-e", json.dumps(given), book, *words],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        },
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return Played(done.returncode, done.stdout + done.stderr)
