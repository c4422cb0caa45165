"""Renders the templates of the Ansible roles as the roles will, with their own defaults."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.nativetypes import NativeEnvironment

ANSIBLE = Path(__file__).resolve().parent.parent.parent / "ansible"
ROLES = ANSIBLE / "roles"


def defaults(role: str) -> dict[str, Any]:
    """Return the variables of a role as it ships them."""
    found: dict[str, Any] = yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    return found


def render(role: str, template: str, of_inventory: Collection[str] = (), /, **given: Any) -> str:
    """Return a template filled in with the role's defaults and what is ``given``; a name that neither the role nor, said so, the inventory has is a mistake."""
    known = defaults(role)
    if unknown := set(given) - set(known) - set(of_inventory):
        raise KeyError(f"{role} has no {', '.join(sorted(unknown))}")
    variables = {**known, **given}
    env = _environment(ROLES / role / "templates")
    # Defaults that are made of others, except those that only a host can answer.
    for name, value in variables.items():
        if isinstance(value, str) and "{{" in value and not any(word in value for word in _OF_A_HOST):
            variables[name] = _native.from_string(value).render(**variables)
    return env.get_template(template).render(**variables) + "\n"


# As Ansible does it: a value that is made of others keeps its kind.
_native = NativeEnvironment()
_OF_A_HOST = ("lookup(", "ansible_facts", "playbook_dir", "inventory_")


def _environment(templates: Path) -> Environment:
    # Ansible's own way of setting up Jinja: the last line break of each file goes, and of the whole one comes back. What units share lies
    # beside the books.
    env = Environment(
        loader=FileSystemLoader([templates, ANSIBLE / "templates"]),
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    # Filters that Ansible adds.
    env.filters |= {
        "to_json": json.dumps,
        "combine": lambda first, second: {**first, **second},
        "basename": os.path.basename,
        "dirname": os.path.dirname,
        "quote": shlex.quote,
    }
    return env
