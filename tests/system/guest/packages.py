"""What of the lock file another Python needs: names, versions and hashes, as pip takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packaging.markers import Marker, default_environment

_REQUIREMENT = re.compile(r"^(?P<name>[a-z0-9._-]+)(\[[^]]*\])?==(?P<version>\S+)( ; (?P<marker>.*?))? \\$")


def chosen(lock: str, names: Iterable[str], python: str) -> str:
    """Return the lines of ``lock`` for ``names`` on that Python (such as ``3.13``), without markers.

    Raises ``LookupError`` naming what the lock does not have.
    """
    wanted = set(names)
    environment: dict[str, str] = {
        **{key: str(value) for key, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    found: dict[str, str] = {}
    for head, block in _blocks(lock):
        marker = head["marker"]
        if head["name"] in wanted and (not marker or Marker(marker).evaluate(environment)):
            found[head["name"]] = f"{head['name']}=={head['version']} \\\n{block}"
    missing = wanted - found.keys()
    if missing:
        raise LookupError(f"the lock file has no {', '.join(sorted(missing))}")
    return "".join(found[name] for name in sorted(found))


def names_in(lock: str) -> set[str]:
    """Return every name in a lock file."""
    return {head["name"] for head, _block in _blocks(lock)}


def _blocks(lock: str) -> Iterator[tuple[re.Match[str], str]]:
    head: re.Match[str] | None = None
    lines: list[str] = []
    for line in lock.splitlines(keepends=True):
        match = _REQUIREMENT.match(line.rstrip("\n"))
        if match is not None:
            if head is not None:
                yield head, "".join(lines)
            head, lines = match, []
        else:
            lines.append(line)
    if head is not None:
        yield head, "".join(lines)
