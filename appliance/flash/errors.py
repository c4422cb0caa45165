"""What stops a card from being written."""

from __future__ import annotations


class FlashRefused(Exception):
    """Nothing was written; the text says why and what to do."""


class FlashFailed(Exception):
    """The card is unfinished and does not start; the text says why and what to do."""
