"""Runs in the booted image: an evening on the air around the device itself, as root, told in lines that the host reads.

``python3 -m tests.system.radio.on_board SSID``: every radio but the first two becomes a phone. Python's own library, ``tests.support`` and
the image's iw alone; nothing of the device's own network, firewall or settings is touched.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import sys
import time

from tests.system.radio.scenario import (
    ADDRESS,
    CATCH,
    PORTAL,
    RadioPhone,
    Refused,
    at_once,
    captured_and_booked,
    come_in,
    hears,
    phones,
    radios,
    reaches_nothing_else,
    run,
    until,
)

ROWS = "file:/var/lib/marquee/marquee.db?mode=ro"
UPLINK = "10.0.2.15"


def main(ssid: str) -> None:
    """Raise what is not as it must be."""
    own = radios()[2:]
    with phones(own) as guests:
        *first, last = guests
        tell(f"{len(first)} phones on the Wi-Fi with an address each", come_in(first, ssid))
        slug = on_sale(first[0])
        began_s = time.monotonic()
        pages = at_once(lambda phone: captured_and_booked(phone, slug), first)
        assert len(set(pages)) == len(first)
        tell(f"from the system's first question to {len(first)} tickets, all at once", time.monotonic() - began_s)
        of_the_device = [(ADDRESS, 22), (ADDRESS, 9100), (CATCH, 443), (UPLINK, 22)]
        reaches_nothing_else(first[0], of_the_device, [("10.0.2.2", 8883)])
        assert not hears(first[0], first[1]), "phones hear each other"
        print("guests reach the portal and nothing else", flush=True)
        after_the_limit(last, ssid, len(first))
        print(
            "units that failed: " + (run("systemctl", "--failed", "--no-legend", "--plain").strip() or "none"),
            flush=True,
        )


def tell(name: str, seconds: float) -> None:
    """Print a figure."""
    print(f"figure: {name}: {seconds:.1f} s", flush=True)


def on_sale(phone: RadioPhone) -> str:
    """Wait until the cloud has told what is sold here; return the name of the first event."""

    def listed() -> str:
        found = re.search(r'href="/events/([a-z0-9-]+)', phone.get(f"{PORTAL}/").text)
        return found[1] if found else ""

    return until(listed, "something is on sale", 300)


def after_the_limit(phone: RadioPhone, ssid: str, limit: int) -> None:
    """One more phone is refused, and the desk has written it down for staff."""
    full = f"{limit} of {limit} phones are on the Wi-Fi: it is full"
    until(lambda: said().startswith(full), "staff see that it is full", 120)
    with contextlib.suppress(Refused):
        phone.associate(ssid, limit_s=20)
        raise AssertionError("one phone more than fit came in")
    until(lambda: said() == f"{full}; 1 more could not come in.", "staff see who was refused", 120)
    print(f"staff read: {said()}", flush=True)


def said() -> str:
    """What the desk says of the hotspot."""
    with contextlib.closing(sqlite3.connect(ROWS, uri=True)) as rows:
        found = rows.execute("SELECT reason FROM hardware WHERE name = 'hotspot'").fetchone()
    return str(found[0]) if found else ""


if __name__ == "__main__":
    main(sys.argv[1])
