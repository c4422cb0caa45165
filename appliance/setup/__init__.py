"""What stands in the place of the portal until this device is one: a page that says how far it is and what to do.

Rules of this room: it needs no database, no key and no name; everybody may see it, so it shows nothing that is secret.
"""

from __future__ import annotations

from appliance.setup.app import create_app
from appliance.setup.until import UntilSetUp

__all__ = ["UntilSetUp", "create_app"]
