"""Whatever the console can do, it does for nobody who did not sign in, and for no other site's form."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.mqtt_bridge.cloud.world import World

OPEN = {"/sign-in", "/sign-out", "/healthz", "/readyz"}
FOR_PROGRAMS = ("/api/", "/metrics", "/static/")
EVIL = {"Origin": "http://evil.example"}


def addresses(app: Flask, method: str) -> list[str]:
    """An address for every rule of a method: of things that are there, and of things that are not."""
    rules = [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]
    return sorted(
        {each for rule in rules for each in (_address(app, rule, "q"), _address(app, rule, "nothing"))} - OPEN
    )


def _address(app: Flask, rule: Rule, name: str) -> str:
    values = {each: 1 if each == "number" else name for each in rule.arguments}
    with app.test_request_context():
        return app.url_map.bind("localhost").build(rule.endpoint, values, append_unknown=False)


def test_who_did_not_sign_in_may_post_nothing_and_learns_nothing(app: Flask, client: FlaskClient, world: World) -> None:
    """The answer to every form is the way to the sign-in, also for what does not exist."""
    world.add("hall-1", "hall")
    posts = addresses(app, "POST")
    assert len(posts) > 8
    for path in posts:
        answer = client.post(
            path, data={"number": "1", "limit": "1", "shown": "1"}, headers={"Origin": "http://localhost"}
        )
        assert (answer.status_code, answer.headers.get("Location")) == (303, "/sign-in"), path


def test_every_page_leads_who_did_not_sign_in_to_the_sign_in(app: Flask, client: FlaskClient, world: World) -> None:
    """Also a page of what does not exist; programs get their own answer."""
    world.add("hall-1", "hall")
    pages = [path for path in addresses(app, "GET") if not path.startswith(FOR_PROGRAMS)]
    assert len(pages) > 8
    for path in pages:
        answer = client.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (303, "/sign-in"), path


def test_no_form_of_another_site_is_taken(app: Flask, operator: FlaskClient) -> None:
    for path in addresses(app, "POST"):
        assert operator.post(path, headers=EVIL).status_code == 403, path
    for path in ("/sign-in", "/sign-out"):
        assert operator.post(path, headers=EVIL).status_code == 403, path


def test_pages_and_figures_are_for_operators(app: Flask, client: FlaskClient, world: World) -> None:
    """Everything but the sign-in page, static files and the machine's own addresses; those tell nothing of a quota."""
    world.add("hall-1", "hall")
    for path in addresses(app, "GET"):
        answer = client.get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"})
        known = b"seats" in answer.data or b"hall-1" in answer.data
        assert not known, path


def test_no_number_is_so_large_that_the_console_fails(app: Flask, operator: FlaskClient, world: World) -> None:
    """More than a table holds, more digits than Python reads, and signs: refused, or as if nothing had been said."""
    world.add("hall-1", "hall")
    rules = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/static")]
    for number in ("9" * 22, "9" * 5000, "-1", "1e9", "\u0669"):
        fields = dict.fromkeys(("before", "number", "shown", "limit", "page", "life", "done"), number)
        for rule in rules:
            path = _address(app, rule, "hall-1")
            if "GET" in (rule.methods or ()):
                assert operator.get(path, query_string=fields).status_code < 500, (path, number[:30])
            if "POST" in (rule.methods or ()) and path not in OPEN:
                answer = operator.post(path, data=fields, headers={"Origin": "http://localhost"})
                assert answer.status_code < 500, (path, number[:30])
