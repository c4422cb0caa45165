"""The door screen is told what happened; streams are few, short, and end with the sign-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from appliance.bootstrap import device
from appliance.portal import staff_door, streams
from appliance.settings import DeviceSettings, PortalSettings, Settings
from tests.appliance.portal.conftest import Phone
from tests.appliance.portal.test_staff_pages import scan, ticket_code
from tests.support.box import ADULT, CHILD, TestBox


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TICK_S", 0.01)
    monkeypatch.setattr(streams, "SURE_S", 0.2)


def opened(door: Phone, mark: str = "") -> TestResponse:
    return door.http.get(f"/staff/live/events?mark={mark}", buffered=False)


def events(answer: TestResponse) -> Iterator[str]:
    """The HTML of each event; blank lines of comments are passed over."""
    for part in answer.iter_encoded():
        for line in part.decode().splitlines():
            if line.startswith("data: "):
                yield json.loads(line[6:]).get("html", "over")


def free_ticket(phone: Phone) -> str:
    return ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))


def test_a_scan_reaches_an_open_screen(door: Phone, phone: Phone) -> None:
    """First what is shown now, then the verdict of a scan at whatever lane; nothing in between."""
    code = free_ticket(phone)
    with closing(opened(door)) as answer:
        assert answer.mimetype == "text/event-stream"
        told = events(answer)
        assert "Ready" in next(told)
        scan(door, code)
        assert 'data-verdict="admitted"' in next(told)


def test_a_screen_that_shows_the_newest_is_told_nothing_until_something_happens(door: Phone, phone: Phone) -> None:
    code = free_ticket(phone)
    with closing(opened(door)) as answer:
        mark = next(events(answer)).partition('data-mark="')[2].partition('"')[0]
    with closing(opened(door, mark)) as answer:
        scan(door, code)
        assert 'data-verdict="admitted"' in next(events(answer))


def test_only_so_many_screens_hold_a_thread(door: Phone, app: Flask) -> None:
    """Who comes later is told when to ask again; a place that is given up is free at once."""
    answers = [opened(door) for _ in range(4)]
    refused = opened(door)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "15")
    answers.pop().close()
    assert opened(door).status_code == 200


def test_a_stream_ends_with_the_sign_in(door: Phone) -> None:
    with closing(opened(door)) as answer:
        told = events(answer)
        next(told)
        door.send(door.get("/staff/"), "/sign-out")
        assert next(told) == "over"


def test_a_stream_ends_by_itself_so_that_no_thread_serves_a_phone_that_is_gone(
    door: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LIFE_S", 0.05)
    with closing(opened(door)) as answer:
        assert len(list(events(answer))) == 1


def test_strangers_get_no_stream(phone: Phone) -> None:
    assert phone.http.get("/staff/live/events").status_code == 303


def test_a_screen_in_training_follows_the_practice_and_ends_when_that_ends(door: Phone) -> None:
    """The sign-in is looked up in the real rows, what is shown in the copy."""
    door.send(door.get("/staff/more"), "/training", value="on")
    with closing(opened(door)) as answer:
        told = events(answer)
        assert "Ready" in next(told)
        door.send(door.get(f"/staff/sell/{ADULT}"), "/sell", method="cash")
        assert 'data-verdict="admitted"' in next(told)
        door.send(door.get("/staff/"), "/training", value="off")
        assert next(told) == "over"


@pytest.mark.parametrize(("threads", "streams", "places"), [(16, 4, 4), (4, 4, 2), (1, 4, 0), (8, 0, 0)])
def test_screens_never_hold_more_than_half_of_the_threads(
    box: TestBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, streams: int, places: int
) -> None:
    """Whatever the settings say: guests are served beside them."""
    monkeypatch.setattr(device, "device_box", lambda _settings: box)
    portal = PortalSettings(threads=threads, streams=streams)
    app = device.portal_app(Settings(device=DeviceSettings(data=tmp_path), portal=portal))
    with app.app_context():
        free = staff_door._places()
    assert [free.take() for _ in range(places + 1)] == [*[True] * places, False]
