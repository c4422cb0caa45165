"""The same evening around the image itself, on the model of the board: it is provisioned, comes on the air, and takes its guests."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from tests.system.image import image
from tests.system.radio.root import PHONES
from tests.system.venue_board import SSID, venue

# Twenty phones at once, on an emulated processor.
EVENING_S = 1800.0
SHARE = (
    "mkdir -p /run/share && { mountpoint -q /run/share || { modprobe 9pnet_virtio && mount -t 9p"
    " -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 share /run/share; }; }"
)


def evening(say: Callable[[str], None], told: Callable[[str], None]) -> int:
    """Boot the image and let the phones come; ``told`` takes every line they print. Returns 0 if all was as it must be."""
    with venue(image().raw, secrets.randbits(32), say, radios=PHONES + 2) as at:
        at.start()
        say("the image is a box office; the phones come ...")
        at.board.check(SHARE)
        order = f"cd /run/share && exec python3 -B -m tests.system.radio.on_board '{SSID}'"
        done = at.board.run(order, EVENING_S)
        for line in done.output.splitlines():
            told(line)
    return done.status
