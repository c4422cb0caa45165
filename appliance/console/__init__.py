"""The operator's web pages and API over the cloud's database; it only reads stock, the reconciler moves it.

Rule of this folder: no view without an operator's token, except the page that asks for it and the two health checks.
"""

from __future__ import annotations

from appliance.console.app import create_app

__all__ = ["create_app"]
