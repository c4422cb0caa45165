"""How many requests were answered, how and how fast, summed over all workers of a process tree.

The counters live in anonymous memory that is made when this module is imported, in gunicorn's master, and shared with every
worker it forks. Each fork writes a row of its own, so there is no lock between processes for a killed worker to keep, no
file to clean up and nothing written to the card; a scrape that any worker answers sums all rows. (prometheus-client's
multi-process mode keeps a memory-mapped file per worker and must be set up before its import.)
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

ROWS = 64
ROUTES = 160
BUCKETS_S = (0.005, 0.02, 0.1, 0.5, 2.0)
_CLASSES = ("2xx", "3xx", "4xx", "5xx")
_CELLS = len(_CLASSES) + len(BUCKETS_S) + 2  # classes, buckets with +Inf, sum of microseconds
OTHER = "other"


class Memory:
    """One row of 64-bit counters per process, in memory shared by fork."""

    def __init__(self) -> None:
        self._row = 0
        self._forks = 0
        self._lock = threading.Lock()
        self._map = mmap.mmap(-1, ROWS * ROUTES * _CELLS * 8)
        self._cells = memoryview(self._map).cast("Q")
        os.register_at_fork(before=self._forking, after_in_child=self._forked)

    def _forking(self) -> None:
        self._forks += 1

    def _forked(self) -> None:
        self._row = 1 + self._forks % (ROWS - 1)
        self._lock = threading.Lock()

    def add(self, route: int, amounts: dict[int, int]) -> None:
        """Add to cells of ``route`` in this process's row."""
        start = (self._row * ROUTES + route) * _CELLS
        with self._lock:
            for cell, amount in amounts.items():
                self._cells[start + cell] += amount

    def sums(self, route: int) -> list[int]:
        """Return the cells of ``route`` summed over all processes."""
        starts = [(row * ROUTES + route) * _CELLS for row in range(ROWS)]
        return [sum(self._cells[start + cell] for start in starts) for cell in range(_CELLS)]


SHARED = Memory()


class Counters:
    """Counts by route; ``routes`` are labels like ``GET /events/<slug>``, the same list in every worker."""

    def __init__(self, routes: Sequence[str], memory: Memory = SHARED) -> None:
        self._labels = [OTHER, *sorted(set(routes))[: ROUTES - 1]]
        self._index = {label: index for index, label in enumerate(self._labels)}
        self._memory = memory

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        bucket = next((i for i, most in enumerate(BUCKETS_S) if seconds <= most), len(BUCKETS_S))
        cells = {
            min(max(status // 100, 2), 5) - 2: 1,
            len(_CLASSES) + bucket: 1,
            _CELLS - 1: max(0, round(seconds * 1_000_000)),
        }
        self._memory.add(self._index.get(route, 0), cells)

    def collect(self) -> Iterator[Metric]:
        """Give the metric families of Prometheus; routes nobody asked for are left out."""
        requests = CounterMetricFamily("marquee_http_requests", "Requests answered.", labels=["route", "status"])
        seconds = HistogramMetricFamily("marquee_http_request_seconds", "Time to answer.", labels=["route"])
        for index, route in enumerate(self._labels):
            cells = self._memory.sums(index)
            for status, value in zip(_CLASSES, cells, strict=False):
                if value:
                    requests.add_metric([route, status], value)
            if any(cells):
                seconds.add_metric([route], _cumulative(cells[len(_CLASSES) : -1]), cells[-1] / 1_000_000)
        yield requests
        yield seconds


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    names = [*(str(each) for each in BUCKETS_S), "+Inf"]
    return [(name, float(sum(counts[: index + 1]))) for index, name in enumerate(names)]
