"""What the forms of guests and staff carry: quantities by ticket type, the key of the form, short texts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from appliance.domain.errors import Invalid
from appliance.services.booking import Item
from appliance.web import proxied

QUANTITY = "q."
MOST_DIGITS = 4
LONGEST_KEY = 128


def items(form: Mapping[str, str]) -> tuple[Item, ...]:
    """Return what was chosen, zeros left out; raises ``Invalid`` for a quantity that is no number or if nothing is chosen."""
    wanted = {name.removeprefix(QUANTITY): value.strip() for name, value in form.items() if name.startswith(QUANTITY)}
    for value in wanted.values():
        if not value.isascii() or not value.isdigit() or len(value) > MOST_DIGITS:
            raise Invalid("Choose a number of tickets.", field="quantity")
    chosen = tuple(Item(name, int(value)) for name, value in sorted(wanted.items()) if int(value))
    if not chosen:
        raise Invalid("Choose at least one ticket.", field="items")
    return chosen


def fingerprint(chosen: tuple[Item, ...]) -> str:
    """Return a text that is the same for the same choice."""
    return " ".join(f"{each.ticket_type}*{each.quantity}" for each in chosen)


def new_key() -> str:
    """Return a fresh key for a form about to be shown; posting that form twice then does one thing."""
    return secrets.token_hex(16)


def kept_key(form: Mapping[str, str]) -> str:
    """Return the key of a posted form for the page that answers it: from there it is sent by the same phone."""
    given = form.get("key", "")
    return given if 0 < len(given) <= LONGEST_KEY and given != proxied.KEY_MARKER else new_key()


def key(form: Mapping[str, str], meaning: str) -> str:
    """Return the idempotency key of a posted form: the form's own, and what was chosen in it.

    Going back to a form and choosing something else is a new wish, not a repetition; browsers show the old key again. A key
    that the proxy should have put in and did not would be everybody's.
    """
    given = form.get("key", "")
    if not given or len(given) > LONGEST_KEY or given == proxied.KEY_MARKER:
        raise Invalid("This form is incomplete. Reload the page and try again.", field="key")
    return f"{hashlib.sha256(given.encode()).hexdigest()[:32]}.{hashlib.sha256(meaning.encode()).hexdigest()[:16]}"
