"""How often a simulated device does something by itself."""

from __future__ import annotations

STEP_MS = 1_000
SWEEP_MS = 5_000
