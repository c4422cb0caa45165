"""The arguments of ``marquee flash``; what it does is loaded when it is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from appliance.settings import Settings


def add_flash(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the parser of the command; ``add(name, help, run)`` makes one."""
    command = add(
        "flash", "Write an image and a provisioning file to a card, and read both back.", _flash, reads_settings=False
    )
    command.add_argument("image", metavar="IMAGE", type=Path, nargs="?", help="the image, .img or .img.xz")
    command.add_argument("target", metavar="TARGET", type=Path, nargs="?", help="the card, e.g. /dev/sdb, or a file")
    command.add_argument("--provisioning", metavar="FILE", type=Path, help="what `marquee provision --out FILE` wrote")
    command.add_argument(
        "--no-provisioning", action="store_true", help="no file: the device starts in setup mode and waits for one"
    )
    command.add_argument("--bmap", metavar="FILE", type=Path, help="the image's block map; default: the one beside it")
    command.add_argument("--list", action="store_true", help="only show the cards that are plugged in")
    command.add_argument("--yes", action="store_true", help="do it without asking")


def _flash(given: argparse.Namespace, _settings: Settings) -> int:
    from appliance.flash import command

    return command.run(given)
