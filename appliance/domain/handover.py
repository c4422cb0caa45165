"""The short code that carries a page from one browser to another: how it looks, how long it lives, how often one may guess.

Six letters are 30 bits, 2^30 = 1,073,741,824 codes. With the most live codes there may be (500) and all guesses that a device takes
in the life of a code (200, by everybody together), the chance that any of them hits any page is 200 * 500 / 2^30, below 1 in
10,000; for one phone with its 8 guesses on an evening with 20 live codes it is 8 * 20 / 2^30, 1 in 6.7 million. Who uses up
the guesses of all, from 25 phones, has closed this door for ten minutes; link and QR code stay.
"""

from __future__ import annotations

from appliance.domain.clock import MINUTE_MS
from mqtt_bridge.protocol import ids

LETTERS = 6
CODE_BYTES = 4
LIFE_MS = 10 * MINUTE_MS
MOST_LIVE = 500
TRIES_PER_PHONE = 8
TRIES_IN_ALL = 200


def code(random: bytes) -> str:
    """Return a code from 4 random bytes, of which it uses 30 bits."""
    number = int.from_bytes(random, "big")
    return "".join(ids.ALPHABET[(number >> shift) & 31] for shift in range(5 * (LETTERS - 1), -1, -5))


def normal(text: str) -> str | None:
    """Return a typed code as it is kept, forgiving as booking codes are; None if it cannot be one."""
    folded = ids.partial_code(text[:64])
    return folded if folded is not None and len(folded) == LETTERS else None


def shown(code: str) -> str:
    """Return a code grouped for people: ``K7Q-F2M``."""
    return f"{code[:3]}-{code[3:]}"
