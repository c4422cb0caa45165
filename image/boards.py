"""Boards: what differs between two kinds of hardware, and nothing else."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.errors import BuildError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Board:
    """A kind of hardware that one image serves.

    ``packages`` bring kernel and firmware; ``firmware`` and ``dtbs`` are patterns below the root whose files go onto the boot
    partition, ``overlays`` into its folder of that name; ``archive`` says that a further archive is an input of the build;
    ``config`` is the text of config.txt.
    """

    name: str
    about: str
    compatible: str
    packages: tuple[str, ...]
    firmware: tuple[str, ...]
    dtbs: tuple[str, ...]
    overlays: tuple[str, ...]
    archive: bool
    suites: tuple[str, ...]
    consoles: tuple[str, ...]
    config: str


def names() -> list[str]:
    """Names of all boards."""
    return sorted(path.stem for path in (HERE / "boards").glob("*.toml"))


def board(name: str) -> Board:
    """Read a board by its name."""
    if name not in names():
        raise BuildError(f"There is no board {name!r}; known are {', '.join(names())}.")
    table: dict[str, Any] = tomllib.loads((HERE / "boards" / f"{name}.toml").read_text(encoding="utf-8"))
    lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    try:
        return Board(name=name, **lists)
    except TypeError as error:
        raise BuildError(f"boards/{name}.toml: {error}") from error
