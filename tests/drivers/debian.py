"""Libraries that Debian builds for its own Python and an environment sees through `--system-site-packages`; here one by one."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

SYSTEM_PACKAGES = "/usr/lib/python3/dist-packages"


def library(name: str) -> ModuleType:
    """Debian's library `name`; raises `ImportError` where it is not installed or built for another Python."""
    if name in sys.modules:
        return sys.modules[name]
    sys.path.append(SYSTEM_PACKAGES)
    try:
        return importlib.import_module(name)
    finally:
        # Nothing else of the system may be seen.
        sys.path.remove(SYSTEM_PACKAGES)
