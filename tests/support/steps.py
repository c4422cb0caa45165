"""The numbered steps of docs/operations.md, as a person at a keyboard reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.pages import ROOT

TITLE = "## From an empty card to a first booking"
# Above commands that are not typed on the computer.
_ELSEWHERE = re.compile(r"# on (\S+)")


@dataclass(frozen=True)
class Block:
    """Lines to type, one after the other, and the host to type them on; the computer has no name."""

    host: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """A step by its number: its title and what is typed in it."""

    number: int
    title: str
    blocks: tuple[Block, ...]


def chapter() -> str:
    """The text of the chapter, with what comes under it."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    return text.partition(TITLE)[2].partition("\n## ")[0]


def steps() -> list[Step]:
    """Every step in its order."""
    found = re.split(r"^(\d+)\. \*\*(.+?)\*\*", chapter().partition("\n### ")[0], flags=re.MULTILINE)[1:]
    return [
        Step(int(number), title.rstrip("."), _blocks(text))
        for number, title, text in zip(found[::3], found[1::3], found[2::3], strict=True)
    ]


def blocks_below(heading: str) -> tuple[Block, ...]:
    """What is typed in the part of the chapter below a heading of its own."""
    return _blocks(chapter().partition(f"\n### {heading}\n")[2].partition("\n### ")[0])


def _blocks(text: str) -> tuple[Block, ...]:
    return tuple(
        _block([line.strip() for line in fence.splitlines() if line.strip()])
        for fence in re.findall(r"^ *```sh\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    )


def _block(lines: list[str]) -> Block:
    named = _ELSEWHERE.fullmatch(lines[0])
    return Block(named[1], tuple(lines[1:])) if named else Block("", tuple(lines))
