"""A process told to stop stops, whatever its main thread is doing."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# The lock inside the event is held by the main thread, as it is for a moment in every ``Event.wait``.
INSIDE_THE_EVENT = """
import os, signal, sys
from appliance.stopping import stop_event
stop = stop_event()
with stop._cond:
    os.kill(os.getpid(), int(sys.argv[1]))
    for _ in range(100_000):
        pass
stop.wait()
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_arrives_inside_the_event_still_sets_it(number: signal.Signals) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSIDE_THE_EVENT, str(int(number))],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    assert done.stdout == "stopped\n"
