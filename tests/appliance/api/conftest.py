"""The venue "north" behind its real HTTP application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance.portal import WebSettings, create_app
from tests.support.box import ADULT, BADGE, PIN, TestBox, make_box

Answer = TestResponse


@dataclass
class Api:
    """A program that talks to the API; without ``address`` it calls from this machine."""

    http: FlaskClient
    headers: dict[str, str]
    address: str = "127.0.0.1"

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        named = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        more: dict[str, Any] = {} if body is None else {"json": body}
        where = {"REMOTE_ADDR": self.address}
        return self.http.open(path, method=method, headers=named, environ_base=where, **more)

    def hold(self, kind: str = ADULT, quantity: int = 1, **headers: str) -> Answer:
        """Ask for one hold."""
        return self("POST", "/api/v1/holds", {"items": [{"ticket_type": kind, "quantity": quantity}]}, **headers)

    def book(self, kind: str = ADULT, quantity: int = 1) -> dict[str, Any]:
        """Hold and confirm; returns the order."""
        held = self.hold(kind, quantity)
        assert held.status_code == 201, held.text
        order = self("POST", "/api/v1/orders", {"hold": held.json["hold"]})
        assert order.status_code == 201, order.text
        return order.json

    def at(self, address: str) -> Api:
        """The same program at another address."""
        return Api(self.http, self.headers, address)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    """10 in the room, 5 on the balcony, 4 for the session away."""
    made = make_box(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def app_of(tmp_path: Path) -> Callable[..., Flask]:
    """A function that puts a box behind HTTP, with settings as needed."""

    def make(box: TestBox, **settings: Any) -> Flask:
        app = create_app(box, WebSettings(data=tmp_path, **settings))
        app.testing = True
        return app

    return make


@pytest.fixture
def app(app_of: Callable[..., Flask], box: TestBox) -> Flask:
    return app_of(box)


@pytest.fixture
def api(app: Flask) -> Api:
    """A guest's program."""
    return Api(app.test_client(use_cookies=False), {})


@pytest.fixture
def staff(api: Api) -> Api:
    """Somebody signed in at the door."""
    answer = api("POST", "/api/v1/staff/tokens", {"badge": BADGE, "pin": PIN})
    assert answer.status_code == 201, answer.text
    return Api(api.http, {"Authorization": f"Bearer {answer.json['token']}"})


def rows_of(box: TestBox) -> dict[str, int]:
    """Number of rows in every table that a booking writes; equal before and after means nothing changed."""
    from sqlalchemy import func, select

    from appliance.store import tables
    from mqtt_bridge.mailbox import tables as mailbox

    watched = (tables.hold, tables.order, tables.ticket, tables.payment, tables.check_in, tables.print_job)
    every = (*watched, tables.idempotency, tables.client, mailbox.outbox)
    with box.database.read() as db:
        return {each.name: db.execute(select(func.count()).select_from(each)).scalar_one() for each in every}
