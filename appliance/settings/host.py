"""Whether this host was set up by the roles: then settings and processes have their place, and a command for people that names it.

A plain ``marquee`` would act on defaults there, as whoever typed it: look at nothing and call it well, or make a second cloud.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from appliance.settings.reading import CONFIG_VARIABLE

# What the roles `identity` and `cloud` write, and the command that each of them installs beside it.
FOLDER = Path("/etc/marquee")
WRAPPERS = {"marquee.toml": "marquee-device", "cloud.toml": "marquee-cloud"}
# Who says one of these knows whose settings or files are meant; units and wrappers say the first.
MEANT = (CONFIG_VARIABLE, "MARQUEE_DEVICE_DATA")

# The units of a device's processes: they hold its key, and keep its database open.
PROCESSES = ("marquee-portal", "marquee-staff", "marquee-desk", "marquee-bridge")


def systemctl(verb: str) -> str:
    """Return what to type so that systemd stops, starts or restarts a device's processes, and nothing else of the device."""
    return f"sudo systemctl {verb} {' '.join(PROCESSES)}"


def meant_elsewhere(command: str, config: str | None, environment: Mapping[str, str] | None = None) -> str:
    """What to type instead of ``command`` on a host that is set up; empty where it is said whose settings are meant, or nothing is set up."""
    variables = os.environ if environment is None else environment
    if config or any(variables.get(name) for name in MEANT):
        return ""
    ways = [f"sudo {wrapper} {command}" for file, wrapper in WRAPPERS.items() if (FOLDER / file).exists()]
    return f"This host is set up: use {' or '.join(ways)}." if ways else ""
