"""Which slot of an image runs, as the last step of `marquee slot` showed it: the files themselves are root's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from appliance.doctor.findings import Finding, ok, warn
from appliance.settings import Settings
from appliance.slots import Keeper, Paths


def slot(_settings: Settings, root: Path = Path("/")) -> Iterator[Finding]:
    """Nothing on a machine without slots; a trial that is not judged yet, and a slot to fall back to that is missing."""
    try:
        status = Keeper(Paths(root)).shown()
    except FileNotFoundError:
        return
    words = "; ".join(status.words())
    if status.unproven:
        yield warn("slot", words, "It becomes the default once the gate finds it ready: see marquee ready.")
    elif status.alone:
        yield warn("slot", words, "There is no slot to fall back to until the next update was installed.")
    else:
        yield ok("slot", words)
