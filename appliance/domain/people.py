"""What a guest may write about themselves: any script, any emoji, but short and printable."""

from __future__ import annotations

import unicodedata

from appliance.domain.errors import Invalid

LONGEST = 200


def clean(text: str, field: str) -> str:
    """Return ``text`` normalised (NFC) with outer and repeated white space removed.

    Raises ``Invalid`` naming ``field`` if it is longer than 200 characters or has control characters or lone surrogates.
    Joiners and direction marks stay: names in Arabic, Hebrew and Indic scripts and emoji need them.
    """
    if len(text) > LONGEST * 4:
        raise _too_long(field)
    tidy = " ".join(unicodedata.normalize("NFC", text).split())
    if len(tidy) > LONGEST:
        raise _too_long(field)
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in tidy):
        msg = f"The {field} contains characters that cannot be shown. Remove them."
        raise Invalid(msg, field=field)
    return tidy


def _too_long(field: str) -> Invalid:
    return Invalid(f"The {field} is too long. Use at most {LONGEST} characters.", field=field)
