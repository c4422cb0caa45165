"""The file that makes a card one particular device, looked at before the card is written."""

from __future__ import annotations

import tomllib
from pathlib import Path

from appliance.flash.errors import FlashRefused

LONGEST_BYTES = 64_000
_NEEDED = (("device", "name"), ("device", "venue"), ("cloud", "url"), ("cloud", "ca"), ("cloud", "token"))


def checked(path: Path) -> bytes:
    """Return the content of the file; raises ``FlashRefused`` if a device could not use it."""
    try:
        content = path.read_bytes()
        document = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise FlashRefused(f"the provisioning file {path} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FlashRefused(f"the provisioning file {path} is not TOML: {error}") from None
    missing = [f"{section}.{key}" for section, key in _NEEDED if not _text(document.get(section), key)]
    if missing or len(content) > LONGEST_BYTES:
        raise FlashRefused(f"the provisioning file {path} cannot be used: {', '.join(missing) or 'it is too long'}")
    return content


def _text(section: object, key: str) -> str:
    value = section.get(key) if isinstance(section, dict) else None
    return value if isinstance(value, str) else ""
