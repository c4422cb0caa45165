"""``marquee authority``: where devices get their certificates. A small HTTPS server of its own, apart from the console.

Rules of this room: it has the authority's key, so it answers to three addresses and nothing else; nothing that was sent is
logged or repeated; whatever is odd costs its sender a refusal and us next to nothing.
"""

from __future__ import annotations

from appliance.authority.app import Offer, create_app
from appliance.authority.handing import Handing
from appliance.authority.looking import look, start_looking

__all__ = ["Handing", "Offer", "create_app", "look", "start_looking"]
