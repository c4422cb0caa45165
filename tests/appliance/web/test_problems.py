from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from appliance.domain.errors import LimitReached, SoldOutHere, Unauthorised
from appliance.web import problems, security
from mqtt_bridge.filelock import LockTimeout

SECRET = "Zoë's phone number"


def _filled() -> sqlite3.Error:
    """What SQLite says where there is no more room."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db, pytest.raises(sqlite3.Error) as caught:
        db.execute("PRAGMA max_page_count = 2")
        db.execute("CREATE TABLE t (a)")
        db.execute("INSERT INTO t VALUES (randomblob(99999))")
    return caught.value


@pytest.fixture
def client() -> Iterator[object]:
    app = Flask("test")
    app.testing = True
    app.config["MAX_CONTENT_LENGTH"] = 10
    problems.register(app, lambda problem: f"<h1>{problem.title}</h1>")
    security.register(app)
    faults = {
        "here": SoldOutHere("Only 2 left here.", available=2, quota="q"),
        "wait": LimitReached("Wait.", "x", 7),
        "who": Unauthorised("Sign in."),
        "locked": OperationalError(SECRET, {}, Exception("database is locked")),
        "patience": LockTimeout(SECRET),
        "full": OSError(errno.ENOSPC, SECRET),
        "filled": OperationalError(SECRET, {}, _filled()),
        "bug": ValueError(SECRET),
    }

    @app.get("/api/<name>")
    @app.get("/page/<name>")
    def fail(name: str) -> str:
        raise faults[name]

    @app.post("/api/body")
    def body() -> str:
        from flask import request

        return request.get_data(as_text=True)

    with app.test_client() as made:
        yield made


def test_a_refusal_is_problem_json_with_its_facts(client) -> None:
    answer = client.get("/api/here")
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert answer.json == {
        "type": "/problems/sold-out-here",
        "title": "Sold out here",
        "status": 409,
        "detail": "Only 2 left here.",
        "available": 2,
        "quota": "q",
    }


def test_people_get_a_page_instead(client) -> None:
    answer = client.get("/page/here")
    assert (answer.status_code, answer.text) == (409, "<h1>Sold out here</h1>")


def test_waiting_is_named_where_it_helps(client) -> None:
    answer = client.get("/api/wait")
    assert (answer.status_code, answer.headers["Retry-After"], answer.json["retry_after_s"]) == (429, "7", 7)


def test_a_missing_sign_in_says_how_to_sign_in(client) -> None:
    answer = client.get("/api/who")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="staff"')


@pytest.mark.parametrize(
    ("fault", "slug", "wait"),
    [("locked", "busy", "2"), ("patience", "busy", "2"), ("full", "disk-full", "60"), ("filled", "disk-full", "60")],
)
def test_a_busy_or_full_disk_is_503_with_a_time_to_retry(client, fault: str, slug: str, wait: str) -> None:
    """And told apart: one passes by itself, the other stays until somebody makes room."""
    answer = client.get(f"/api/{fault}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, wait)
    assert (answer.json["type"], answer.json["retry_after_s"]) == (f"/problems/{slug}", int(wait))


def test_a_bug_is_500_and_neither_answer_nor_log_repeat_what_a_person_typed(client) -> None:
    with capture_logs() as logs:
        answer = client.get("/api/bug")
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert SECRET not in repr(logs)
    assert logs[0]["error"] == "ValueError"
    assert "test_problems.py" in logs[0]["where"]


def test_wrong_address_method_and_size_are_problems_too(client) -> None:
    assert client.get("/api/no/where").json["type"] == "/problems/not-found"
    wrong = client.delete("/api/body")
    assert (wrong.status_code, wrong.json["type"]) == (405, "/problems/method-not-allowed")
    assert "POST" in wrong.headers["Allow"]
    large = client.post("/api/body", data=b"x" * 11)
    assert (large.status_code, large.json["type"]) == (413, "/problems/invalid")


def test_every_answer_carries_the_security_headers(client) -> None:
    for path in ("/api/here", "/page/here", "/nowhere"):
        headers = client.get(path).headers
        assert "unsafe" not in headers["Content-Security-Policy"]
        for directive in ("frame-ancestors", "object-src", "base-uri"):
            assert f"{directive} 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers
