"""What the roles of an image are told: by its board, and by the person who builds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from image.boards import Board
from image.errors import BuildError
from image.root import ANSIBLE, PLAYBOOK


def given(board: Board, file: Path | None) -> dict[str, Any]:
    """Return the variables for an image: the ones of ``file`` (YAML), and what follows from the board, which nobody else may say.

    Raises ``BuildError`` naming a file that cannot be read, is no mapping, or has a name that no role of an image takes.
    """
    ours = {"update_compatible": board.compatible}
    return {**(_read(file, taken() - ours.keys()) if file else {}), **ours}


def taken() -> frozenset[str]:
    """Return the names that image.yml's roles declare."""
    (play,) = _yaml(PLAYBOOK)
    roles = (each["role"] for each in play["roles"])
    return frozenset(name for role in roles for name in _yaml(ANSIBLE / "roles" / role / "defaults" / "main.yml"))


def _read(file: Path, known: frozenset[str]) -> Mapping[str, Any]:
    try:
        found = _yaml(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BuildError(f"--variables {file}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise BuildError(f"--variables {file}: must be names with values, as in an inventory's group_vars.")
    if strange := sorted(str(name) for name in found if name not in known):
        raise BuildError(
            f"--variables {file}: no role of an image takes {', '.join(strange)}; see ansible/roles/*/defaults."
        )
    return found


def _yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text("utf-8"))
