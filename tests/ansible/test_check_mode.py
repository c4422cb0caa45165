"""`site.yml --check` on a bare host goes through to its end: what needs an earlier task's work may fail there, and is ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.roles import ROLES

IGNORED = "{{ ansible_check_mode }}"
# Modules that fail where a unit, an account or a server is missing, by the keys that name it.
NEEDS = {
    "ansible.builtin.systemd_service": ("name",),
    "ansible.builtin.user": ("groups",),
    "ansible.posix.authorized_key": ("user",),
    "community.postgresql.postgresql_user": ("name",),
    "community.postgresql.postgresql_db": ("name",),
    "community.postgresql.postgresql_privs": ("roles",),
}
FILES = sorted(path for kind in ("tasks", "handlers") for path in ROLES.glob(f"*/{kind}/*.yml"))


def unprotected(tasks: list[dict[str, Any]]) -> list[str]:
    """Return the names of tasks that would end a first run in check mode."""
    return [
        task["name"]
        for task in tasks
        for module, keys in NEEDS.items()
        if any(key in task.get(module, {}) for key in keys) and task.get("ignore_errors") != IGNORED
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROLES).as_posix())
def test_no_task_and_no_handler_ends_a_first_run_in_check_mode(path: Path) -> None:
    assert unprotected(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_the_check_sees_a_task_that_would() -> None:
    assert unprotected([{"name": "Start it", "ansible.builtin.systemd_service": {"name": "x.service"}}]) == ["Start it"]
