"""Runs in the booted image: answers orders that come over a virtio serial port, one JSON object a line. Standard library only."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

PORT = Path("/dev/virtio-ports/marquee.agent")
# The end of what a command printed is what tells; a port of this kind is slow.
OUTPUT_BYTES = 2_000_000


def main():
    """Say hello, then serve until the power goes."""
    while not PORT.exists():
        time.sleep(0.05)
    with PORT.open("r+b", buffering=0) as port:
        lock = threading.Lock()

        def tell(answer):
            line = memoryview(json.dumps(answer).encode() + b"\n")
            with lock:
                while line:
                    line = line[port.write(line) or 0 :]

        tell({"hello": Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
        waiting = b""
        while True:
            piece = port.read(65536)
            if not piece:
                time.sleep(0.05)
                continue
            *lines, waiting = (waiting + piece).split(b"\n")
            for line in lines:
                threading.Thread(target=obey, args=(json.loads(line), tell), daemon=True).start()


def obey(order, tell):
    """Run one command in a session of its own; one that takes too long is ended with all that it started."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", order["command"]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, "HOME": "/root", "LC_ALL": "C.UTF-8"},
    )
    try:
        output, _ = process.communicate(timeout=order["timeout_s"])
        status = process.returncode
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        output, status = process.communicate()[0], None
    tell({"id": order["id"], "status": status, "output": output[-OUTPUT_BYTES:].decode(errors="replace")})


if __name__ == "__main__":
    main()
