"""The arguments of the commands that a boot runs; what they do is loaded when one is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from appliance.settings import Settings

if TYPE_CHECKING:
    from appliance.doctor.findings import Finding

SLOT_ACTIONS = (
    "status",
    "get-primary",
    "set-primary",
    "get-state",
    "set-state",
    "get-current",
    "attempt",
    "good",
    "unhealthy",
)


def add_boot(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the parsers of these commands; ``add(name, help, run)`` makes one."""
    command = add("ready", "Say whether this boot made a box office; what is missing, with its reason.", _ready)
    command.add_argument(
        "--wait", metavar="SECONDS", type=float, default=0.0, help="until all is well, at most so long"
    )
    command.add_argument("--page", metavar="URL", default="", help="what must answer; default: the portal's own socket")
    command.add_argument("--setup-page", metavar="URL", default="", help="what must answer before it is provisioned")
    command.add_argument(
        "--boot",
        action="store_true",
        help="judge for the slot: one that is no trial is not to blame for Wi-Fi and devices",
    )
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    command = add(
        "slot",
        "Say which slot runs and boots next; RAUC's hand on the boot ROM's file.",
        _slot,
        logs=False,
        reads_settings=False,
    )
    command.add_argument("action", nargs="?", default="status", choices=SLOT_ACTIONS)
    command.add_argument("slot", metavar="SLOT", nargs="?", default="", help="A or B")
    command.add_argument("state", metavar="STATE", nargs="?", default="", help="good or bad")
    command.add_argument("--json", action="store_true", help="print the status as JSON")


def _ready(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.doctor.gate import gate, of_boot, wait

    def look() -> Iterable[Finding]:
        found = gate(settings, given.page, given.setup_page)
        return of_boot(found) if given.boot else found

    return wait(look, given.wait, as_json=given.json)


def _slot(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import slot

    return slot.run(given, settings)
