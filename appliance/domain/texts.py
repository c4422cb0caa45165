"""Sentences of the rules that screens show in the reader's language."""

from __future__ import annotations


def translatable(text: str) -> str:
    """Return the English sentence as it is; marks it for the catalogues of ``web/translations``."""
    return text
