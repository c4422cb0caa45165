"""``marquee doctor``: looks at everything a running box office depends on and says what to do.

Rule of this folder: look, never touch. Nothing is created, migrated, opened or asked to move.
"""

from __future__ import annotations

from appliance.doctor.devices import examine_devices
from appliance.doctor.examination import examine
from appliance.doctor.findings import Finding, report

__all__ = ["Finding", "examine", "examine_devices", "report"]
