"""Reading the fields of one mapping: each value is converted, missing or misplaced ones are reported, none stops the rest."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TypeVar

from appliance.catalogue.problems import Collector
from appliance.catalogue.tree import Entry, Mapping, Node, Scalar, Sequence

T = TypeVar("T")
D = TypeVar("D")


class Fields:
    """The entries of a mapping at ``path``; ask for every field that may be there, then call ``done``."""

    def __init__(self, node: Mapping, path: str, found: Collector) -> None:
        self.line = node.line
        self.path = path
        self.found = found
        self._entries = {entry.key: entry for entry in node.entries}
        self._asked: list[str] = []
        self._missing: dict[str, str] = {}

    def under(self, key: str) -> str:
        """The path of a field of this mapping."""
        return f"{self.path}.{key}" if self.path else key

    def entry(self, key: str) -> Entry | None:
        """The entry of ``key``, or None if it is missing or empty."""
        self._asked.append(key)
        entry = self._entries.get(key)
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null):
            return None
        return entry

    def line_of(self, key: str) -> int:
        """The line of ``key``, or of the mapping if it is missing."""
        entry = self._entries.get(key)
        return entry.line if entry else self.line

    def missing(self, key: str, message: str = "is missing") -> None:
        """Report, when ``done``, that ``key`` is not there, unless a field of nearly this name turns out to be meant."""
        self._missing[key] = message

    def wrong(self, key: str, message: str) -> None:
        """Report what is wrong with the value of ``key``."""
        self.found.add(self.line_of(key), self.under(key), message)

    def value(self, key: str, read: Callable[[str], T]) -> T | None:
        """The converted text of ``key``, or None with a report if it is missing or wrong."""
        if self.entry(key) is None:
            self.missing(key)
            return None
        return self.optional(key, read, None)

    def optional(self, key: str, read: Callable[[str], T], default: D) -> T | D:
        """The converted text of ``key``, or ``default`` if it is missing (silently) or wrong (with a report)."""
        entry = self.entry(key)
        if entry is None:
            return default
        if not isinstance(entry.value, Scalar):
            self.wrong(key, f"must be a single value, not {_named(entry.value)}")
            return default
        try:
            return read(entry.value.text)
        except ValueError as error:
            self.found.add(entry.value.line, self.under(key), str(error))
            return default

    def mappings(self, key: str, *, required: bool = True) -> list[Fields]:
        """The fields of each item of a list of mappings."""
        entry = self.entry(key)
        if entry is None:
            if required:
                self.missing(key)
            return []
        if not isinstance(entry.value, Sequence):
            self.wrong(key, f"must be a list (lines that begin with '-'), not {_named(entry.value)}")
            return []
        if required and not entry.value.items:
            self.wrong(key, "is empty; at least one is needed")
        return [
            fields
            for index, item in enumerate(entry.value.items)
            if (fields := self._as_fields(item, f"{self.under(key)}[{index}]"))
        ]

    def mapping(self, key: str) -> Fields | None:
        """The fields of a nested mapping, or None if it is missing."""
        entry = self.entry(key)
        return self._as_fields(entry.value, self.under(key), entry.line) if entry else None

    def texts(self, key: str) -> list[Scalar]:
        """The items of an optional list of single values."""
        entry = self.entry(key)
        if entry is None:
            return []
        if not isinstance(entry.value, Sequence):
            self.wrong(key, f"must be a list such as [a, b], not {_named(entry.value)}")
            return []
        for item in entry.value.items:
            if not isinstance(item, Scalar):
                self.found.add(item.line, self.under(key), f"must hold single values, not {_named(item)}")
        return [item for item in entry.value.items if isinstance(item, Scalar)]

    def keys(self) -> list[str]:
        """All keys, in the order of the file."""
        return list(self._entries)

    def done(self) -> None:
        """Report the fields nobody asked for, and those that are missing."""
        for key, entry in self._entries.items():
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, n=1)
                hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(sorted(set(self._asked)))}"
                self.found.add(entry.line, self.under(key), f"is not a field; {hint}")
                self._missing.pop(near[0] if near else "", None)
        for key, message in self._missing.items():
            self.wrong(key, message)

    def _as_fields(self, node: Node, path: str, line: int | None = None) -> Fields | None:
        if isinstance(node, Mapping):
            return Fields(node, path, self.found)
        self.found.add(line or node.line, path, f"must have fields (key: value), not be {_named(node)}")
        return None


def _named(node: Node) -> str:
    return {"Scalar": "a single value", "Sequence": "a list", "Mapping": "a group of fields"}[type(node).__name__]
