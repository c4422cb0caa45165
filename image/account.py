"""What a build tells of itself in numbers: a small file beside the image, for whoever keeps figures. It is no part of the image."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from image import blockmap, bundle, card, system
from image.cache import Cache
from image.steps import Step, lasts
from image.table import Layout

ACCOUNT = "build.json"
_MAPPED = re.compile(r"<MappedBlocksCount> (\d+) </MappedBlocksCount>")
# What is downloaded, and made anew only when Debian or our list of packages changes.
ONCE = ("tools", "base")


def account(steps: Sequence[Step], have: Mapping[str, Path], layout: Layout, version: str, equal_from: str = "") -> dict[str, Any]:  # fmt: skip
    """Return the numbers of a build from its steps and their folders.

    ``seconds``: of each step as it was made, also where that was in a build before; None where nobody wrote it down. ``lasts``: seconds of a
    build of ``all`` of these steps, and of the ``later`` ones that follow what is made ``ONCE``. ``bytes``: of packed image,
    bundle, packed root, the slot for it, what a card needs and the whole card. ``equal_from`` is the step that two makings which were
    equal began with, empty where nobody compared.
    """
    seconds = {name: Cache.seconds(place) for name, place in have.items()}
    later = {name: took for name, took in seconds.items() if name not in ONCE}
    needed = _MAPPED.search((have["card"] / f"{card.IMAGE}.bmap").read_text("ascii"))
    components = json.loads((have["system"] / system.BILL).read_text("utf-8"))["components"]
    return {
        "version": version,
        "seconds": seconds,
        "lasts": {"all": _lasts(steps, seconds), "later": _lasts(steps, later)},
        "bytes": {
            "image": (have["card"] / f"{card.IMAGE}.xz").stat().st_size,
            "bundle": (have["bundle"] / bundle.BUNDLE).stat().st_size,
            "root": (have["system"] / system.ROOT).stat().st_size,
            "slot": layout["root_a"].size,
            "needed": int(needed[1]) * blockmap.BLOCK if needed else 0,
            "card": layout.size,
        },
        "packages": len(components),
        "licensed": sum("licenses" in each for each in components),
        "equal_from": equal_from,
    }


def _lasts(steps: Sequence[Step], seconds: Mapping[str, float | None]) -> float | None:
    known = {name: took for name, took in seconds.items() if took is not None}
    return round(lasts(steps, known), 1) if len(known) == len(seconds) else None
