"""What the builder tells of itself, as figures."""

from __future__ import annotations

import json
from pathlib import Path

from image.account import ACCOUNT
from image.progress import clock
from tests.system.figures import tell

PART = "image"
MB, GIB = 1e6, 1 << 30


def tell_built(folder: Path) -> None:
    """Tell the figures of the build whose results lie in ``folder``; nothing where its builder wrote none down.

    Times are those of a build of all these steps, each as long as it took when it was made last, whenever that was.
    """
    if not (folder / ACCOUNT).exists():
        return
    built = json.loads((folder / ACCOUNT).read_text("utf-8"))
    size, lasts = built["bytes"], built.get("lasts", {})
    tell(PART, "compressed image", f"{size['image'] / MB:.1f} MB", "<= 400 MB")
    tell(PART, "signed bundle", f"{size['bundle'] / MB:.1f} MB")
    tell(PART, "root file system, packed", f"{size['root'] / MB:.1f} MB in a slot of {size['slot'] / GIB:.0f} GiB")
    tell(PART, "blocks that a card needs", f"{size['needed'] / MB:.0f} MB of {size['card'] / MB / 1000:.1f} GB")
    tell(PART, "inside", f"{built['packages']} packages, {built['licensed']} with a declared licence")
    for name, took_s, goal in (
        ("all steps from the cached base", lasts.get("later"), "<= 10 min"),
        ("full rebuild", lasts.get("all"), "<= 50 min"),
    ):
        if took_s is not None:
            tell(PART, name, clock(took_s), goal)
    if built["equal_from"]:
        words = "root, boot and data file systems and lists equal byte for byte"
        tell(PART, f"two makings from one {built['equal_from']}", words, "equal")
