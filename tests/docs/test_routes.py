"""Every route that a page shows is served, and every route of the API is on the page for those who write clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask

from appliance import authority, console, portal
from appliance.demo import page as demo_page
from appliance.domain.errors import Refusal
from appliance.web import problems
from tests.support.pages import ROOT, Page, pages

# No request is made, so the apps need nothing behind them.
NOTHING = cast(Any, None)
METHODS = "GET|POST|PUT|PATCH|DELETE"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """``METHOD /path/{}`` of every route of the portal, the console, the authority and the demo."""
    data = tmp_path_factory.mktemp("data")
    apps = [portal.create_app(NOTHING, portal.WebSettings(data=data)), console.create_app(NOTHING, data)]
    apps.append(authority.create_app(NOTHING, cast(Any, SimpleNamespace(folder=data)), NOTHING))
    apps.append(demo_page.create_app(cast(Any, SimpleNamespace(venues=(), mailbox=None)), NOTHING, NOTHING, NOTHING))
    return {route for app in apps for route in routes_of(app)}


def routes_of(app: Flask) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield f"{method} {re.sub(r'<[^>]+>', '{}', rule.rule)}"


def shown(page: Page) -> set[str]:
    """Every ``METHOD /path`` on a page, parameters as ``{}``, and what its ``curl`` lines call."""
    found = [
        match for code in page.code() for match in re.findall(rf"\b((?:{METHODS})(?: \| (?:{METHODS}))*) (/\S*)", code)
    ]
    routes = {(method, path) for methods, path in found for method in methods.split(" | ")}
    for line in page.fences():
        called = re.search(r"curl .*?https?://[^/\s]+(/[^\s'\"]*)", line)
        if called:
            method = re.search(rf"-X ({METHODS})", line)
            routes.add((method.group(1) if method else "GET", called.group(1)))
    return {f"{method} {re.sub(r'{[^}]*}|<[^>]*>', '{}', path.split('?')[0])}" for method, path in routes}


def unserved(page: Page, served: set[str]) -> list[str]:
    """Return the routes on a page that nothing serves."""
    return sorted(shown(page) - served)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_route_that_a_page_shows_is_served(page: Page, served: set[str]):
    assert unserved(page, served) == []


def test_every_route_of_the_api_is_documented(served: set[str]):
    page = Page("docs/api.md", Path(ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
    assert sorted(route for route in served - shown(page) if " /api/" in route) == []


def test_every_type_of_problem_is_documented():
    """With the status that a refusal of its own kind has."""
    rows = dict(
        re.findall(r"^\| `([a-z-]+)` \| ([\d, ]+) \|", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)
    )
    assert set(rows) == set(problems.KINDS)
    kinds = [Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert str(kind.status) in rows[kind.problem].split(", "), kind


def test_the_check_sees_routes_that_nothing_serves():
    page = Page(
        "x.md",
        "`GET | DELETE /api/v1/cats/{cat}`, `POST /staff/`\n\n```sh\ncurl -X POST http://127.0.0.1:8080/holds\n```\n",
    )
    assert unserved(page, {"GET /api/v1/cats/{}", "POST /holds"}) == ["DELETE /api/v1/cats/{}", "POST /staff/"]
