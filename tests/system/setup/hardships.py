"""What a box office must bear: a disk without room, a cable that is out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http import HTTPStatus

from tests.system.board.machine import wait_until
from tests.system.figures import tell
from tests.system.setup.unset import fetched
from tests.system.venue_board import Venue

# Below 20 MB nothing new is held (docs/operations.md); what is held is still booked.
LEFT_BYTES = 10_000_000
OFFLINE_ORDERS = 5
SYNCED_S = 300.0
# A broker that is silent is believed for some seconds.
NOTICED_S = 120.0
_FILL = f"fallocate -l $(( $(stat -f -c '%a * %S' /data) - {LEFT_BYTES} )) /data/filler"
# As root, who may take more than others: nobody else gets a block any more.
_FILL_UP = (
    "dd if=/dev/zero of=/data/filler-to-the-end bs=64k status=none 2>/dev/null; sync -f /data; stat -f -c %a /data"
)
_EMPTY = "rm /data/filler /data/filler-to-the-end && sync -f /data"
# The board's own socket, by the name that it has on a board.
_PLUGGED = "cat /sys/class/net/end0/carrier"
_DOCTOR, _DOWN = "marquee-device doctor", re.compile(r"^warn link +down", re.MULTILINE)


def full_disk(at: Venue, say: Callable[[str], None]) -> None:
    """Fill the data partition: new holds are refused, what was held is booked or asked to wait, pages answer; with room it sells again."""
    first, second = _held(at), _held(at)
    at.board.check(_FILL)
    _refuses(at)
    assert at.confirm(first) == HTTPStatus.CREATED, "what was held before is not booked"
    left = int(at.board.check(_FILL_UP))
    assert not left, f"{left} blocks are left"
    _refuses(at)
    late = at.confirm(second)
    assert late in {HTTPStatus.CREATED, HTTPStatus.SERVICE_UNAVAILABLE}, late
    assert fetched(at, "/")[0] == HTTPStatus.OK
    at.check_kept()
    at.board.check(_EMPTY)
    if late != HTTPStatus.CREATED:
        assert at.confirm(second) == HTTPStatus.CREATED, "what was held before is lost"
    assert any(at.sell() for _ in range(10)), at.sales
    at.check_kept()
    words = "booked" if late == HTTPStatus.CREATED else "told to wait, and booked with room"
    say(f"a full disk: new holds refused, pages answered; without a block left what was held was {words}; nothing lost")


def _held(at: Venue) -> str:
    status, answer = at.hold()
    assert status == HTTPStatus.CREATED, answer
    return str(answer["hold"])


def _refuses(at: Venue) -> None:
    status, answer = at.hold()
    assert (status, answer["type"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "/problems/disk-full"), answer


def cable(at: Venue, say: Callable[[str], None]) -> None:
    """Pull the cable, sell until the device has noticed and after, put it back: the cloud knows of these orders only then, and of all."""
    assert wait_until(lambda: at.sales.confirmed <= at.cloud.orders(), SYNCED_S, 1), "the cloud was not told before"
    before = set(at.sales.confirmed)
    at.board.uplink(up=False)
    assert wait_until(lambda: at.board.run(_PLUGGED).output.strip() == "0", 30), "the cable is still in"
    for _ in range(OFFLINE_ORDERS):
        assert at.sell(), at.sales
    assert wait_until(lambda: _DOWN.search(at.board.run(_DOCTOR).output), NOTICED_S, 2), "the device calls its link up"
    for _ in range(OFFLINE_ORDERS):
        assert at.sell(), at.sales
    sold = at.sales.confirmed - before
    assert not sold & at.cloud.orders(), "the cloud knows what nobody can have told it"
    at.board.uplink(up=True)
    began_s = time.monotonic()
    assert wait_until(lambda: sold <= at.cloud.orders(), SYNCED_S, 0.5), at.board.run(
        "journalctl -b -u marquee-bridge -n 40 --no-pager"
    ).output
    took_s = time.monotonic() - began_s
    say(f"the cable was out for {len(sold)} orders; the cloud knew them {took_s:.0f} s after it was back")
    tell("setup", f"from the cable back in to {len(sold)} orders known in the cloud", f"{took_s:.0f} s")
