"""What scanner modules that take commands have in common: questions, answers, and settings to be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

Ask = Callable[[bytes], bytes | None]
"""Sends a command and gives its answer, or None when none came in time."""

TRIES = 3


class Sifted(NamedTuple):
    """A stretch of what a module sent: `text` belongs to codes, `rest` may be the beginning of an answer."""

    text: bytes
    answers: list[bytes]
    rest: bytes


class Dialect(Protocol):
    """How one family of modules is spoken to; pure."""

    name: str
    question: bytes
    """A harmless command that any healthy module answers."""

    def sift(self, data: bytes) -> Sifted:
        """Take the answers out of `data`."""

    def set_up(self, ask: Ask) -> list[str]:
        """Make the module's settings right; what could not be set, in words. Nothing is written where nothing changes."""

    def baud_command(self, baud: int) -> bytes | None:
        """The command that changes the module's speed, or None when that is not known."""


class Plain:
    """A scanner that only sends."""

    name = "plain"
    question = b""

    def sift(self, data: bytes) -> Sifted:
        """Everything belongs to codes."""
        return Sifted(data, [], b"")

    def set_up(self, ask: Ask) -> list[str]:
        """There is nothing to set."""
        return []

    def baud_command(self, baud: int) -> bytes | None:
        """There are no commands."""
        return None


def persistent(ask: Ask) -> Ask:
    """An `Ask` that repeats what was not answered: answers get lost where codes are sent at the same time."""

    def again(command: bytes) -> bytes | None:
        return next((answer for _ in range(TRIES) if (answer := ask(command)) is not None), None)

    return again
