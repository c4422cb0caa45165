"""What a run ends with when a promise was broken."""

from __future__ import annotations


class Violation(BaseException):
    """A promise was broken; the sentence says which. No handler of the product may swallow it."""
