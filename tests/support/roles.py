"""Renders the templates of the Ansible roles as the roles will, with their own defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROLES = Path(__file__).resolve().parent.parent.parent / "ansible" / "roles"


def defaults(role: str) -> dict[str, Any]:
    """Return the variables of a role as it ships them."""
    found: dict[str, Any] = yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    return found


def render(role: str, template: str, **given: Any) -> str:
    """Return a template filled in with the role's defaults and what is ``given``; a name the role does not have is a mistake."""
    known = defaults(role)
    if unknown := set(given) - set(known):
        raise KeyError(f"{role} has no {', '.join(sorted(unknown))}")
    # Ansible's own way of setting up Jinja.
    env = Environment(
        loader=FileSystemLoader(ROLES / role / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    # Filters that Ansible adds.
    env.filters |= {"to_json": json.dumps, "combine": lambda first, second: {**first, **second}}
    return env.get_template(template).render(**{**known, **given})
