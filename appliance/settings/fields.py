"""The settings as a list, made from the sections: what is read, what messages name and what docs/settings.md shows is this one list."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

from appliance.settings import kinds
from appliance.settings.sections import Settings

PREFIX = "MARQUEE_"


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: ``read`` turns a raw value into the typed one or raises ``ValueError`` saying what to write."""

    section: str
    name: str
    default: object
    read: kinds.Kind
    help: str

    @property
    def key(self) -> str:
        """The name in the file and in messages, e.g. ``broker.url``."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that overrides the file."""
        return f"{PREFIX}{self.section}_{self.name}".upper()


def _fields() -> tuple[Field, ...]:
    return tuple(
        Field(section.name, each.name, each.default, each.metadata["kind"], each.metadata["help"])
        for section in dataclasses.fields(Settings)
        for each in dataclasses.fields(cast(Any, section.default))
    )


FIELDS = _fields()
BY_KEY = {field.key: field for field in FIELDS}


def as_markdown() -> str:
    """Return the table of docs/settings.md."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    rows += [f"| `{field.key}` | {_shown(field.default)} | {field.help} |" for field in FIELDS]
    return "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    text = (
        ",".join(default)
        if isinstance(default, tuple)
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    return f"`{text}`" if text else "(none)"
