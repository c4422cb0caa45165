"""Figures that a part of the system tests measured: told to whoever runs all parts, and kept in docs/appliance.md."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_VARIABLE = "MARQUEE_FIGURES"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, how much, and what it must be at most or least, in words."""

    part: str
    name: str
    value: str
    goal: str = ""


def tell(part: str, name: str, value: str, goal: str = "") -> None:
    """Print a figure, and hand it to the run of all parts if there is one."""
    print(f"figure: {name}: {value}{f' ({goal})' if goal else ''}", flush=True)
    if path := os.environ.get(FILE_VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(Figure(part, name, value, goal))) + "\n")


def read(path: Path) -> list[Figure]:
    """Return what parts told; a figure told twice is the later one."""
    if not path.exists():
        return []
    told = [Figure(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    return list({(each.part, each.name): each for each in told}.values())


def table(figures: Iterable[Figure]) -> str:
    """Return the table for people and for the page."""
    rows = ["| part | figure | measured | wanted |", "|---|---|---|---|"]
    rows += [f"| {each.part} | {each.name} | {each.value} | {each.goal} |" for each in figures]
    return "\n".join(rows)


def merged(page: str, fresh: Iterable[Figure], whole: Collection[str] = ()) -> str:
    """Return the page with fresh figures in the place of their namesakes. Raises ``ValueError`` without markers.

    A figure leaves the page when its part no longer tells it: of the parts named in ``whole``, which ran with all of their steps, what was
    not told goes. Any other part keeps what it did not tell this time.
    """
    head, begin, rest = page.partition(BEGIN)
    old, end, foot = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    new = {(each.part, each.name): each for each in fresh}
    rows = {
        (each.part, each.name): each for each in _rows(old) if each.part not in whole or (each.part, each.name) in new
    }
    every = sorted((rows | new).values(), key=lambda each: each.part)
    return f"{head}{BEGIN}\n{table(every)}\n{END}{foot}"


def _rows(text: str) -> list[Figure]:
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    return [Figure(*(row + [""] * 4)[:4]) for row in rows]
