"""What is wrong with a catalogue file: collected, so that a person mends everything in one go."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake: ``line`` counts from 1, ``path`` names the field, e.g. ``events[0].sessions[1].starts_at``."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.message}" if self.path else f"line {self.line}: {self.message}"


class CatalogueErrors(Exception):
    """The file changes nothing until all ``problems`` are mended."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class Collector:
    """Where validation leaves what it finds."""

    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int, path: str, message: str) -> None:
        """Remember a mistake."""
        self.problems.append(Problem(line, path, message))

    def raise_if_any(self) -> None:
        """Raise ``CatalogueErrors`` unless everything fits so far."""
        if self.problems:
            raise CatalogueErrors(self.problems)
