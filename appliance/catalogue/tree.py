"""YAML text as a tree of nodes that know their line; bounded, and without the parts of YAML that surprise people.

Scalars stay text: what ``012``, ``no`` or ``2026-11-24 20:00`` mean is decided by the field they stand in, never guessed.
Anchors, aliases and tags are refused, so a file cannot unfold into more than it holds ("billion laughs").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from appliance.catalogue.problems import Collector

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
MAX_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text; ``quoted`` if it was written in quotes or as a block."""

    line: int
    text: str
    quoted: bool

    @property
    def is_null(self) -> bool:
        """Whether nothing was written."""
        return not self.quoted and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; ``line`` is the key's."""

    line: int
    key: str
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys in the order of the file; duplicates were reported and left out."""

    line: int
    entries: tuple[Entry, ...]


Node = Scalar | Sequence | Mapping


def parse(text: str, found: Collector) -> Node | None:
    """Return the document's root, or None with the reason in ``found``."""
    builder = _Builder(found)
    try:
        return builder.document(_events(text))
    except _Refused as error:
        found.add(error.line, "", error.message)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found.add(mark.line + 1 if mark else 1, "", f"not YAML: {_sentence(error)}")
    except YAMLError as error:
        found.add(1, "", f"not YAML: {str(error).splitlines()[0]}")
    return None


def _events(text: str) -> Iterator[Any]:
    yaml = YAML(typ="safe", pure=True)
    return iter(yaml.parse(text))


def _sentence(error: MarkedYAMLError) -> str:
    words = " ".join(part for part in (error.context, error.problem) if part)
    return " ".join(words.split()) or "cannot be read"


class _Refused(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class _Builder:
    def __init__(self, found: Collector) -> None:
        self._found = found
        self._nodes = 0

    def document(self, events: Iterator[Any]) -> Node | None:
        """Build the one document of the stream."""
        root: Node | None = None
        for event in events:
            kind = type(event).__name__
            if kind in {"StreamStartEvent", "DocumentStartEvent", "DocumentEndEvent", "StreamEndEvent", "CommentEvent"}:
                continue
            if root is not None:
                raise _Refused(_line(event), "a second document begins here; a catalogue file holds one")
            root = self._node(event, events, "", 1)
        return root

    def _node(self, event: Any, events: Iterator[Any], path: str, depth: int) -> Node:
        self._nodes += 1
        line = _line(event)
        if self._nodes > MAX_NODES:
            raise _Refused(line, f"the file has more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise _Refused(line, f"nested more than {MAX_DEPTH} levels deep")
        kind = type(event).__name__
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            raise _Refused(line, "anchors (&) and aliases (*) are not allowed; write the value out")
        if _tagged(event):
            raise _Refused(line, "tags (!) are not allowed; remove the tag")
        if kind == "ScalarEvent":
            return Scalar(line, event.value, quoted=event.style is not None)
        if kind == "SequenceStartEvent":
            return self._sequence(line, events, path, depth)
        return self._mapping(line, events, path, depth)

    def _sequence(self, line: int, events: Iterator[Any], path: str, depth: int) -> Sequence:
        items: list[Node] = []
        while True:
            event = next(events)
            if type(event).__name__ == "SequenceEndEvent":
                return Sequence(line, tuple(items))
            items.append(self._node(event, events, f"{path}[{len(items)}]", depth + 1))

    def _mapping(self, line: int, events: Iterator[Any], path: str, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        while True:
            event = next(events)
            if type(event).__name__ == "MappingEndEvent":
                return Mapping(line, tuple(entries.values()))
            key = self._node(event, events, path, depth + 1)
            if not isinstance(key, Scalar):
                raise _Refused(key.line, "a key must be a word")
            inner = f"{path}.{key.text}" if path else key.text
            value = self._node(next(events), events, inner, depth + 1)
            if key.text in entries:
                self._found.add(key.line, inner, f"appears twice; first on line {entries[key.text].line}")
            else:
                entries[key.text] = Entry(key.line, key.text, value)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _tagged(event: Any) -> bool:
    tag = getattr(event, "tag", None)
    return tag is not None and str(tag) not in {"", "!"} and not _implicit(event)


def _implicit(event: Any) -> bool:
    implicit = getattr(event, "implicit", None)
    return implicit is True or (isinstance(implicit, tuple) and any(implicit))
