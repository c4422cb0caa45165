"""All settings of a process, read once from TOML files and ``MARQUEE_*`` variables, then frozen.

Parsing, error messages and docs/settings.md all come from the dataclasses of ``sections``, so there is no second list to keep in step.
Later files win over earlier ones, and variables over all of them: ``MARQUEE_BROKER_URL`` is ``broker.url``.
"""

from __future__ import annotations

from appliance.settings.fields import FIELDS, PREFIX, as_markdown
from appliance.settings.host import PROCESSES, meant_elsewhere, systemctl
from appliance.settings.reading import CONFIG_VARIABLE, SettingsError, read_settings
from appliance.settings.sections import DeviceSettings, PortalSettings, Settings

__all__ = [
    "CONFIG_VARIABLE",
    "FIELDS",
    "PREFIX",
    "PROCESSES",
    "DeviceSettings",
    "PortalSettings",
    "Settings",
    "SettingsError",
    "as_markdown",
    "meant_elsewhere",
    "read_settings",
    "systemctl",
]
