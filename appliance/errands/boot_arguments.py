"""The arguments of the commands that a boot runs; what they do is loaded when one is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from appliance.settings import Settings

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
    from appliance.doctor.gate import gate, wait

    return wait(lambda: gate(settings, given.page, given.setup_page), given.wait, as_json=given.json)


def _slot(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import slot

    return slot.run(given, settings)
