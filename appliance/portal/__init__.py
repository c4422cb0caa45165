"""The venue's web pages and API: a blueprint per audience (attendees, staff, programs, machines).

Rule of this folder: a view reads a request, calls one use case and shows what it answered. No SQL, no rules, no devices.
"""

from __future__ import annotations

from appliance.portal.app import create_app
from appliance.web.site import WebSettings

__all__ = ["WebSettings", "create_app"]
