"""A venue replaces its key while tickets signed by the old one are out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.flows.test_two_venues import book, paid_type, pay, scan, venue_of
from tests.support.demo import running, wait_for
from tests.support.http import request


def test_tickets_of_the_old_and_of_the_new_key_are_admitted_at_the_other_venue(tmp_path: Path) -> None:
    """The old key announces the new one; both travel to the door, which verifies receipts by key id."""
    with running(data=tmp_path / "town") as demo:
        kind, seller = paid_type(demo, venue_of(demo, 1)), venue_of(demo, 2)

        def sell() -> str:
            order = book(demo, 2, kind)
            assert pay(demo, 2, order).status in {200, 201}
            fresh = request("GET", demo.venue(2, f"/api/v1/orders/{order['order']}")).json
            return str(fresh["tickets"][0]["receipt"])

        old = sell()
        command = ["-m", "appliance.cli", "rotate-key", "--config", str(tmp_path / "town" / seller / "settings.toml")]
        subprocess.run([sys.executable, *command], check=True, timeout=30)
        pids = {key: pid for key, pid in demo.pids.items() if key[0] == seller}
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: all(demo.pids[key] != pid for key, pid in pids.items()), "restarted processes")
        wait_for(lambda: request("GET", demo.venue(2, "/readyz")).status == 200, "the portal")
        new = sell()
        assert scan(demo, 1, old)["verdict"] == "admitted"
        wait_for(lambda: scan(demo, 1, new)["verdict"] in {"admitted", "already_admitted"}, "the new key at the door")
