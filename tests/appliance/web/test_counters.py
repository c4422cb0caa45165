from __future__ import annotations

import subprocess
import sys
import threading

from appliance.web.counters import OTHER, ROUTES, Counters, Memory

FORKING = """
import os
from appliance.web.counters import SHARED, Counters
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        counters = Counters(["GET /a"], SHARED)
        for _ in range(100):
            counters.count("GET /a", 200, 0.01)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
print(SHARED.sums(1)[0])
"""


def samples(counters: Counters) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in counters.collect()
        for sample in family.samples
    }


def test_answers_are_counted_by_route_class_and_time() -> None:
    counters = Counters(["GET /a", "POST /b"], Memory())
    counters.count("GET /a", 200, 0.001)
    counters.count("GET /a", 204, 0.3)
    counters.count("POST /b", 409, 5.0)
    counters.count("GET /unknown", 404, 0.001)
    found = samples(counters)
    assert found["marquee_http_requests_total", ("GET /a", "2xx")] == 2
    assert found["marquee_http_requests_total", ("POST /b", "4xx")] == 1
    assert found["marquee_http_requests_total", (OTHER, "4xx")] == 1
    assert found["marquee_http_request_seconds_bucket", ("GET /a", "0.005")] == 1
    assert found["marquee_http_request_seconds_bucket", ("GET /a", "+Inf")] == 2
    assert found["marquee_http_request_seconds_bucket", ("POST /b", "2.0")] == 0
    assert found["marquee_http_request_seconds_count", ("POST /b",)] == 1
    assert abs(found["marquee_http_request_seconds_sum", ("GET /a",)] - 0.301) < 0.001


def test_threads_lose_no_count() -> None:
    counters = Counters(["GET /a"], Memory())

    def work() -> None:
        for _ in range(500):
            counters.count("GET /a", 200, 0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert samples(counters)["marquee_http_requests_total", ("GET /a", "2xx")] == 4000


def test_every_worker_sees_the_sum_of_all_workers() -> None:
    found = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=30)
    assert found.stdout.strip() == "300"


def test_more_routes_than_there_is_room_for_are_counted_together() -> None:
    counters = Counters([f"GET /{number:04}" for number in range(ROUTES + 10)], Memory())
    counters.count(f"GET /{ROUTES + 5:04}", 200, 0)
    assert samples(counters)["marquee_http_requests_total", (OTHER, "2xx")] == 1
