"""The application behind real workers and a real socket."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.web.server import SILENT_PEER_S
from tests.support.box import ADULT, CHILD
from tests.support.demo import wait_for
from tests.support.http import Answer, request

SCRIPT = Path(__file__).with_name("serve_a_box.py")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[str]:
    """Where two workers serve one box."""
    port = free_port()
    folder = tmp_path_factory.mktemp("served")
    process = subprocess.Popen([sys.executable, SCRIPT, folder, str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _ready(url), "the workers", 30)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def _ready(url: str) -> bool:
    try:
        return request("GET", f"{url}/readyz", timeout_s=2).status == 200
    except OSError:
        return False


def test_many_at_once_with_one_key_are_one_hold(url: str) -> None:
    body = {"items": [{"ticket_type": CHILD, "quantity": 1}]}

    def send(_number: int) -> Answer:
        return request("POST", f"{url}/api/v1/holds", body, headers={"Idempotency-Key": "one"})

    with ThreadPoolExecutor(12) as crowd:
        answers = list(crowd.map(send, range(24)))
    assert {each.status for each in answers} == {201}
    assert len({each.body for each in answers}) == 1
    assert len({each.headers["client-token"] for each in answers}) == 1
    assert sum("idempotency-replayed" not in each.headers for each in answers) == 1


def test_a_phone_that_begins_a_request_and_falls_silent_keeps_no_thread_for_good(url: str) -> None:
    """More than a worker has threads; each is hung up on, at the latest when a second round of waiting is over."""
    port = int(url.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port), 2.5 * SILENT_PEER_S) for _ in range(12)]
    for each in silent:
        each.sendall(b"GET / HTTP/1.1\r\nHo")
    for each in silent:
        with each:
            assert each.recv(1) == b""
    assert request("GET", f"{url}/healthz", timeout_s=5).status == 200


def test_many_at_once_for_one_hold_are_one_order(url: str) -> None:
    held = request("POST", f"{url}/api/v1/holds", {"items": [{"ticket_type": ADULT, "quantity": 2}]})
    with ThreadPoolExecutor(12) as crowd:
        answers = list(
            crowd.map(lambda _: request("POST", f"{url}/api/v1/orders", {"hold": held.json["hold"]}), range(12))
        )
    assert {each.status for each in answers} == {201}
    assert len({each.body for each in answers}) == 1


def test_any_worker_shows_what_all_workers_answered(url: str) -> None:
    def answered() -> float:
        text = request("GET", f"{url}/metrics").body.decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "marquee_http_requests_total" and sample.labels["route"] == "GET /api/v1/availability"
        )

    before = answered()
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda _: request("GET", f"{url}/api/v1/availability"), range(60)))
    assert {answered() for _ in range(10)} == {before + 60}


@pytest.mark.parametrize("length", [True, False], ids=["with a length", "in chunks"])
def test_a_huge_body_is_refused_and_the_workers_live_on(url: str, length: bool) -> None:
    body = json.dumps({"items": ["x" * 200_000]}).encode()
    host, port = url.removeprefix("http://").split(":")
    head = f"POST /api/v1/holds HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    if length:
        sent = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    else:
        chunk = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        sent = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(sent)
        answer = b""
        while part := wire.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
    assert b"application/problem+json" in answer
    assert request("GET", f"{url}/healthz").status == 200


def test_bytes_that_are_not_http_are_refused_and_the_workers_live_on(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as wire:
            wire.sendall(sent)
            wire.shutdown(socket.SHUT_WR)
            answer = wire.recv(65536)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
    assert request("GET", f"{url}/healthz").status == 200
