"""Booking: orders per second over HTTP, and how often the disk is flushed for one order."""

from __future__ import annotations

import threading
from pathlib import Path

from appliance.portal import WebSettings, create_app
from appliance.settings import PortalSettings
from bench.load import Client, Outcome, run
from bench.venue import TYPE, open_box

_HOLD = {"items": [{"ticket_type": TYPE, "quantity": 1}]}


def book(client: Client) -> bool:
    """Hold one ticket and confirm it; True if both were answered with 201."""
    status, hold = client("POST", "/api/v1/holds", _HOLD)
    return status == 201 and client("POST", "/api/v1/orders", {"hold": hold["hold"]})[0] == 201


def over_http(port: int, clients: int, seconds: float) -> Outcome:
    """Return the outcome of ``clients`` that book one ticket after the other."""
    return run(clients, seconds, port, book)


def flushes_per_order(folder: Path, clients: int, orders: int) -> float:
    """Return committed write transactions per order, each one flush, counted inside one process with ``clients`` threads.

    As many of them are served at a time as the portal has threads.
    """
    box = open_box(folder, 1)
    app = create_app(box, WebSettings(data=folder))
    left = iter(range(orders))
    take, failed = threading.Lock(), threading.Event()
    threads_of_portal = threading.BoundedSemaphore(PortalSettings().threads)

    def loop() -> None:
        phone = app.test_client()
        while True:
            with take:
                if next(left, None) is None:
                    return
            with threads_of_portal:
                hold = phone.post("/api/v1/holds", json=_HOLD).get_json()
            with threads_of_portal:
                order = phone.post("/api/v1/orders", json={"hold": hold.get("hold", "")})
            if order.status_code != 201:
                failed.set()

    before = box.database.commits
    threads = [threading.Thread(target=loop) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed.is_set():
        msg = "an order failed while flushes were counted"
        raise RuntimeError(msg)
    return (box.database.commits - before) / orders
