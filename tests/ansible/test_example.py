"""The inventory that people copy: what only they can know is empty, and the roles say so before they lock anybody out."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.roles import ANSIBLE, ROLES

REFUSED_EMPTY = ("hardening_ops_keys", "hardening_management_from", "hardening_management_interfaces")


def of_all() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (ANSIBLE / "inventory/example/group_vars/all.yml").read_text(encoding="utf-8")
    )
    return found


def test_the_example_lets_nobody_in_by_itself() -> None:
    assert {name: of_all()[name] for name in REFUSED_EMPTY} == {name: [] for name in REFUSED_EMPTY}


def test_the_role_refuses_that_first_and_names_all_that_is_missing() -> None:
    first = yaml.safe_load((ROLES / "hardening/tasks/main.yml").read_text(encoding="utf-8"))[0]
    asked = first["ansible.builtin.assert"]
    for name in REFUSED_EMPTY:
        assert name in asked["fail_msg"]
        assert name in " ".join(asked["that"])
