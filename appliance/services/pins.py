"""Where screens and commands find the PIN functions; the rule itself is pure and lives in ``domain.pins``."""

from __future__ import annotations

from appliance.domain.pins import hash_pin, verify_pin

__all__ = ["hash_pin", "verify_pin"]
