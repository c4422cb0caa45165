"""The same evening around the image itself, on the model of the board."""

from __future__ import annotations

from tests.system import figures
from tests.system.radio.root import PHONES
from tests.system.venue_board import SSID, Venue

# The access point's, the one of the phone that the host sells by, and the phones'.
RADIOS = PHONES + 2
# Twenty phones at once, on an emulated processor.
EVENING_S = 1800.0


def evening(at: Venue, part: str) -> None:
    """Let the phones come to a box office with so many ``RADIOS``; raises ``AssertionError`` with all they said where anything was not as it must be."""
    at.board.mount_share()
    done = at.board.run(f"cd /run/share && exec python3 -B -m tests.system.radio.on_board '{SSID}'", EVENING_S)
    assert done.status == 0, done.output
    for line in done.output.splitlines():
        word, _, rest = line.partition("figure: ")
        name, _, value = rest.partition(": ")
        if not word and value:
            figures.tell(part, name, value)
        else:
            print(line, flush=True)
