"""Closed-loop load over HTTP keep-alive connections: each client sends its next request when it has its answer."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """Durations in seconds of what succeeded, count of what did not, and the length of the run."""

    durations: list[float] = field(default_factory=list)
    errors: int = 0
    seconds: float = 0.0

    @property
    def per_s(self) -> float:
        """Successes per second."""
        return len(self.durations) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """Duration in ms that ``share`` (0..1) of the successes did not exceed."""
        ordered = sorted(self.durations)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send one request; return the status and the decoded JSON (None for other bodies)."""
        data = None if body is None else json.dumps(body)
        self._http.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        answer = self._http.getresponse()
        raw = answer.read()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(raw) if is_json and raw else None

    def close(self) -> None:
        """Hang up."""
        self._http.close()


def run(clients: int, seconds: float, port: int, job: Callable[[Client], bool]) -> Outcome:
    """Let ``clients`` repeat ``job`` (True: success) for ``seconds`` and return what came of it."""
    outcome, lock = Outcome(), threading.Lock()
    began = time.perf_counter()

    def loop() -> None:
        client = Client(port)
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            good = job(client)
            took = time.perf_counter() - start
            with lock:
                if good:
                    outcome.durations.append(took)
                else:
                    outcome.errors += 1
        client.close()

    threads = [threading.Thread(target=loop) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = time.perf_counter() - began
    return outcome
