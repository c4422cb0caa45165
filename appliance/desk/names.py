"""The desk's devices by name, and the address that means: whatever is plugged in."""

from __future__ import annotations

from appliance.settings import Settings

AUTO = "auto"
# Whose absence is said; what else is found by itself nobody misses.
NEEDED = frozenset({"printer", "scanner"})


def addresses(settings: Settings) -> dict[str, str]:
    """Every device's address by its name; empty where none is set up."""
    desk = settings.desk
    return {
        "printer": desk.printer,
        "printer_2": desk.printer_2,
        "scanner": desk.scanner,
        "scanner_2": desk.scanner_2,
        "scanner_3": desk.scanner_3,
        "camera": desk.camera,
        "lamp": desk.lamp,
        "lamp_2": desk.lamp_2,
        "modem": desk.modem,
        "hotspot": desk.hotspot,
    }
