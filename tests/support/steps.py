"""The numbered steps of docs/operations.md, as a person at a keyboard reads them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from tests.support.pages import ROOT

TITLE = "## From an empty card to a first booking"


@dataclass(frozen=True)
class Step:
    """A step by its number: its title and the commands in it, each as words."""

    number: int
    title: str
    commands: tuple[tuple[str, ...], ...]


def chapter() -> str:
    """The text of the chapter, with what comes under it."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    return text.partition(TITLE)[2].partition("\n## ")[0]


def steps() -> list[Step]:
    """Every step in its order."""
    found = re.split(r"^(\d+)\. \*\*(.+?)\*\*", chapter().partition("\n### ")[0], flags=re.MULTILINE)[1:]
    return [
        Step(int(number), title.rstrip("."), _commands(text))
        for number, title, text in zip(found[::3], found[1::3], found[2::3], strict=True)
    ]


def _commands(text: str) -> tuple[tuple[str, ...], ...]:
    fences = re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for fence in fences for line in fence.splitlines()]
    return tuple(tuple(shlex.split(line, comments=True)) for line in lines if line)


def commands_below(heading: str) -> tuple[tuple[str, ...], ...]:
    """The commands in the part of the chapter below a heading of its own."""
    return _commands(chapter().partition(f"\n### {heading}\n")[2].partition("\n### ")[0])
