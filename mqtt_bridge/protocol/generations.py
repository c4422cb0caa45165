"""Which cloud spoke: one that was put back from a backup is another generation, and its messages name it."""

from __future__ import annotations


def incarnation(generation: int, suffix: str) -> str:
    """Name the life of a cloud; the random ``suffix`` tells it from any other of that generation."""
    return f"{generation}.{suffix}"


def superseded(inc: str, generation: int) -> bool:
    """Tell whether a message of the cloud's incarnation ``inc`` is of a cloud before ``generation``."""
    number, dot, _ = inc.partition(".")
    return bool(dot) and number.isdecimal() and int(number) < generation
