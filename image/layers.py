"""Layers: one concern of the image each, a TOML file that says which packages, files and units it brings, for which boards."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from image.errors import BuildError

HERE = Path(__file__).parent
_INPUT = re.compile(r"@(\w+)@")
_MODE = re.compile(r"0[0-7]{3}")


@dataclass(frozen=True)
class File:
    """A file that a layer lays into the image."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Layer:
    """One concern.

    ``packages`` are Debian's names, ``name/release`` takes one from another release; ``patched`` are source packages -> patches
    with which they are built anew; ``users`` are name -> number of user
    and group; ``remove`` are patterns below the root; ``initrd`` are kernel modules that find and mount the root. What is not ``bare``
    is left out where Debian alone is built, to compare with.
    """

    name: str
    about: str
    bare: bool = True
    packages: tuple[str, ...] = ()
    patched: dict[str, tuple[str, ...]] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    initrd: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    links: dict[str, str] = field(default_factory=dict)


# What a layer's file may say: all of that but the name, which is the file's own, and for which boards it is, with which values.
KEYS = frozenset(each.name for each in fields(Layer)) - {"name"} | {"boards", "inputs"}


def load(board: str, given: dict[str, Any], folder: Path = HERE / "layers") -> list[Layer]:
    """Return the layers of a board in the order of their names; ``given`` are values known to every layer."""
    found = [_read(path, board, given) for path in sorted(folder.glob("*.toml"))]
    layers = [each for each in found if each is not None]
    _check(layers)
    return layers


def filled(text: str, values: dict[str, Any], where: str) -> str:
    """Put the values in where a text names them between two ``@``."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise BuildError(f"{where}: there is no input {match[1]!r}; known are {', '.join(sorted(values))}.")
        return str(values[match[1]])

    return _INPUT.sub(value, text)


def _read(path: Path, board: str, given: dict[str, Any]) -> Layer | None:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BuildError(f"{path.name}: {error}") from error
    if unknown := set(table) - KEYS:
        raise BuildError(f"{path.name}: unknown key {', '.join(sorted(unknown))}; known are {', '.join(sorted(KEYS))}.")
    if "about" not in table:
        raise BuildError(f"{path.name}: say in `about` what the layer is for.")
    if board not in table.get("boards", [board]):
        return None
    values = {**given, **table.get("inputs", {})}
    return Layer(
        name=path.stem,
        about=table["about"],
        bare=table.get("bare", True),
        packages=tuple(table.get("packages", ())),
        patched={name: tuple(patches) for name, patches in table.get("patched", {}).items()},
        users=dict(table.get("users", {})),
        remove=tuple(table.get("remove", ())),
        enable=tuple(table.get("enable", ())),
        mask=tuple(table.get("mask", ())),
        initrd=tuple(table.get("initrd", ())),
        files=tuple(_file(each, values, path.name) for each in table.get("files", ())),
        links=dict(table.get("links", {})),
    )


def _file(table: dict[str, Any], values: dict[str, Any], where: str) -> File:
    mode = table.get("mode", "0644")
    if not _MODE.fullmatch(mode):
        raise BuildError(f"{where}: mode {mode!r} of {table.get('path')} is no octal number such as 0644.")
    if not str(table.get("path", "")).startswith("/") or "text" not in table:
        raise BuildError(f"{where}: a file needs an absolute `path` and its `text`.")
    return File(table["path"], filled(table["text"], values, f"{where}, {table['path']}"), int(mode, 8))


def _check(layers: list[Layer]) -> None:
    """One path belongs to one layer, and one number to one user."""
    owners: dict[str, str] = {}
    for layer in layers:
        for path in (*(each.path for each in layer.files), *layer.links):
            if path in owners:
                raise BuildError(f"Both {owners[path]}.toml and {layer.name}.toml bring {path}.")
            owners[path] = layer.name
    numbers = [number for layer in layers for number in layer.users.values()]
    if len(numbers) != len(set(numbers)):
        raise BuildError("Two users have the same number.")
