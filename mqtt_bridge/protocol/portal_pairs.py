"""The certificate that phones believe, as the cloud hands it to its devices, and which names it may have."""

from __future__ import annotations

import re

import msgspec

# Three certificates with RSA keys are some 6,000 bytes, a key of 4,096 bits is 3,300.
LARGEST_CHAIN, LARGEST_KEY = 24_576, 8_192
LONGEST_NAME = 253
STAR = "*."
# RFC 1123, in lower case: at least two labels, the last of which is no number, so that no address is a name.
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class PortalPair(msgspec.Struct, frozen=True):
    """A name, the certificate for it followed by those that vouch for it (PEM), and its private key (PEM)."""

    name: str
    certificate: str
    key: str

    def __repr__(self) -> str:
        return f"PortalPair({self.name!r})"


def name_for(name: str, device: str) -> str:
    """Return the name under which phones find a device: a star at its beginning stands for the device's own name."""
    own = re.sub(r"[^a-z0-9]+", "-", device).strip("-")
    return own + name[1:] if name.startswith(STAR) else name


def is_public_name(text: str) -> bool:
    """Whether phones may find a portal under this name; it is safe as the name of a file and in a line of a hosts file."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None
