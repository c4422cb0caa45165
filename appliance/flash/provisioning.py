"""The file that makes a card one particular device, looked at before the card is written."""

from __future__ import annotations

from pathlib import Path

from appliance.domain.provisioning import ProvisioningError, read_provisioning
from appliance.flash.errors import FlashRefused


def checked(path: Path) -> bytes:
    """Return the content of the file; raises ``FlashRefused`` if a device could not use it."""
    try:
        content = path.read_bytes()
        read_provisioning(content)
    except OSError as error:
        raise FlashRefused(f"the provisioning file {path} cannot be read ({error.strerror})") from None
    except ProvisioningError as error:
        raise FlashRefused(f"the provisioning file {path} cannot be used: {'; '.join(error.problems)}") from None
    return content
