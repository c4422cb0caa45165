"""Every limit that says no has its own words; read from the source which there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

import appliance
from appliance.domain import requests
from appliance.domain.errors import LimitReached
from appliance.web import limit_words, texts
from mqtt_bridge.protocol.catalogue import Limits

ROOMS = ("services", "domain")


@pytest.fixture
def app() -> Flask:
    made = Flask("test")
    made.jinja_env.add_extension("jinja2.ext.i18n")
    texts.install(made)
    return made


def limits_of(source: str) -> set[str]:
    """Names of all limits that a module may raise."""
    found: set[str] = set()
    for function in (each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.FunctionDef)):
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and (named := _named(call)) is not None:
                given = {str(named.value)} if isinstance(named, ast.Constant) else set(_kinds(function))
                assert given, f"{ast.unparse(call)}: which limit is it?"
                found |= given
    return found


def _named(call: ast.Call) -> ast.expr | None:
    """Return what a call says of the limit: ``LimitReached(words, limit, ...)`` or ``rates.take(unit, limit, ...)``."""
    if isinstance(call.func, ast.Name) and call.func.id == "LimitReached":
        return call.args[1]
    return call.args[1] if ast.unparse(call.func) in {"rates.check", "rates.take"} else None


def _kinds(function: ast.AST) -> Iterator[str]:
    """Yield what a loop or a starred argument may name: the first of each tuple that begins with a text."""
    for each in ast.walk(function):
        if isinstance(each, ast.Tuple) and each.elts and isinstance(each.elts[0], ast.Constant):
            yield str(each.elts[0].value)


def all_limits() -> set[str]:
    house = Path(appliance.__file__).parent
    sources = [path for room in ROOMS for path in sorted((house / room).rglob("*.py")) if path.name != "rates.py"]
    return set[str]().union(*(limits_of(path.read_text()) for path in sources))


def test_every_limit_of_the_house_has_words_of_its_own(app: Flask) -> None:
    found = all_limits()
    assert {"per_hold", "waitlist_per_quota", "mine_all", "sms-client", "share_per_client"} <= found
    with app.test_request_context("/"):
        assert set(limit_words.table(2)) == found
        for title, words in limit_words.table(2).values():
            assert title
            assert words


def test_a_limit_that_nobody_can_name_is_found() -> None:
    with pytest.raises(AssertionError, match="which limit"):
        limits_of("def f(unit, kind):\n    rates.check(unit, kind, 1)")
    assert limits_of("def f():\n    raise LimitReached('No.', 'new')") == {"new"}


def test_a_limit_of_elsewhere_speaks_for_itself(app: Flask) -> None:
    with app.test_request_context("/"):
        assert limit_words.title({"limit": "other"}) == "That did not work"
        assert limit_words.words({"limit": "other"}, "Only on Mondays.") == "Only on Mondays."
        facts = {"limit": "other", "retry_after_s": 61}
        assert limit_words.title(facts) == "Please wait a little"
        assert limit_words.words(facts, "Only on Mondays.") == "Only on Mondays. Try again in 2 minutes."


def test_who_may_request_no_more_reads_how_many(app: Flask) -> None:
    with pytest.raises(LimitReached) as caught:
        requests.check_cap(Limits(), "q", 100, 3, requested=3, own=3)
    with app.test_request_context("/"):
        assert "up to 5 of them" in limit_words.words(caught.value.facts, caught.value.detail)
