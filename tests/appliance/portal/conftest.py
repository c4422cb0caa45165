"""The venue "north" with its real pages, and a phone without cookies that fills in their forms."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance.portal import WebSettings, create_app
from tests.support.box import BADGE, PIN, TestBox, make_box


class Form(HTMLParser):
    """A form of a page: ``action`` and its fields as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._select = ""
        self._chosen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((found.get("action", ""), {}))
        elif tag == "input" and self.forms and "name" in found:
            self.forms[-1][1][found["name"]] = found.get("value", "")
        elif tag == "select":
            self._select = found["name"]
        elif tag == "option":
            self._chosen = "selected" in found

    def handle_data(self, data: str) -> None:
        if self._chosen:
            self.forms[-1][1][self._select] = data
            self._chosen = False


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Every form of a page, with what it would send untouched."""
    parser = Form()
    parser.feed(page)
    return parser.forms


class Phone:
    """A browser without cookies and scripts, one page at a time."""

    def __init__(self, app: Flask, *, cookies: bool = False, language: str = "en") -> None:
        self.http: FlaskClient = app.test_client(use_cookies=cookies)
        self.headers = {"Accept-Language": language}
        self.last: TestResponse | None = None

    def get(self, path: str) -> str:
        """Open a page, following redirects; its text."""
        self.last = self.http.get(path, headers=self.headers, follow_redirects=True)
        return self.last.text

    def post(self, path: str, fields: dict[str, str]) -> str:
        """Send a form, following redirects; the text of the page it leads to."""
        self.last = self.http.post(path, data=fields, headers=self.headers, follow_redirects=True)
        return self.last.text

    @property
    def status(self) -> int:
        """Status of the last page."""
        assert self.last is not None
        return self.last.status_code

    @property
    def path(self) -> str:
        """Path of the last page."""
        assert self.last is not None
        return self.last.request.path

    @property
    def address(self) -> str:
        """Path and query of the last page."""
        assert self.last is not None
        return self.last.request.full_path

    def send(self, page: str, action: str, **changed: str) -> str:
        """Send the form of ``page`` whose action contains ``action``, with some fields changed."""
        where, fields = next(each for each in forms(page) if action in each[0])
        return self.post(where or self.address, {**fields, **changed})

    def hold(self, slug: str = "river", **changed: str) -> str:
        """Open an event and tap the one button; the page after it."""
        return self.send(self.get(f"/events/{slug}"), "/holds", **changed)

    def book(self, **changed: str) -> str:
        """Hold and confirm; the page with the tickets."""
        return self.send(self.hold(**changed), "/confirm")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    """10 in the room, 5 on the balcony, 4 for the session away."""
    made = make_box(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def app(tmp_path: Path, box: TestBox) -> Flask:
    made = create_app(box, WebSettings(data=tmp_path))
    made.testing = True
    return made


@pytest.fixture
def phone(app: Flask) -> Phone:
    """A guest's phone."""
    return Phone(app)


@pytest.fixture
def door(app: Flask) -> Phone:
    """Somebody signed in at the door."""
    made = Phone(app, cookies=True)
    made.send(made.get("/staff/sign-in"), "", badge=BADGE, pin=PIN)
    assert made.path == "/staff/"
    return made
