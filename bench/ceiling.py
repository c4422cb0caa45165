"""What paho itself can do with QoS 1: one process publishes, the broker passes on, another process receives."""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

MESSAGES = 20_000
BYTES = 900  # an order of two tickets, signed
WINDOW = 100


@dataclass(frozen=True)
class Ceiling:
    """Messages/s from publisher to receiver, and the processor time of the busier of the two per message, in microseconds."""

    per_s: float
    us: float


def measure(url: str) -> Ceiling:
    """Send messages through a broker."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    receiver = multiprocessing.get_context("spawn").Process(target=_receive, args=(url, theirs))
    receiver.start()
    try:
        ours.recv()
        before = time.process_time()
        _publish(url)
        used = time.process_time() - before
        began, ended, theirs = ours.recv()
    finally:
        receiver.join(30)
    return Ceiling((MESSAGES - 1) / (ended - began), 1e6 * max(used, theirs) / MESSAGES)


def _client(url: str, name: str) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    client.max_queued_messages_set(0)
    parts = urlsplit(url)
    client.connect(parts.hostname or "", parts.port or 1883)
    return client


def _publish(url: str) -> None:
    client = _client(url, "ceiling-publisher")
    client.loop_start()
    payload = b"x" * BYTES
    under_way = threading.Semaphore(2 * WINDOW)
    client.on_publish = lambda *_: under_way.release()
    for _ in range(MESSAGES):
        under_way.acquire()
        client.publish("ceiling", payload, qos=1)
    for _ in range(2 * WINDOW):
        under_way.acquire()
    client.disconnect()
    client.loop_stop()


def _receive(url: str, told: Connection) -> None:
    client = _client(url, "ceiling-receiver")
    times: list[float] = []

    def on_message(_client: Any, _data: Any, _message: Any) -> None:
        times.append(time.monotonic())
        if len(times) == MESSAGES:
            client.disconnect()

    client.on_message = on_message
    client.on_subscribe = lambda *_: told.send("ready")
    before = time.process_time()
    client.subscribe("ceiling", qos=1)
    client.loop_forever()
    told.send((times[0], times[-1], time.process_time() - before))
