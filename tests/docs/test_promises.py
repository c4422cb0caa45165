"""What a page calls proof is a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.support.pages import ROOT

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def functions_of(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(each.name for each in found if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def unknown(text: str) -> list[str]:
    """Tests that a text names and that are not there."""
    return [f"{path}::{name}" for path, name in NAMED.findall(text) if name not in functions_of(ROOT / path)]


def test_every_test_that_a_page_names_exists():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    assert {page.name: wrong for page in pages if (wrong := unknown(page.read_text(encoding="utf-8")))} == {}


def test_every_promise_names_at_least_two_tests():
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    promises = re.split(r"^## \d", text, flags=re.MULTILINE)[1:]
    assert len(promises) == 7
    assert [each.splitlines()[0] for each in promises if len(NAMED.findall(each)) < 2] == []


def test_the_check_sees_a_test_that_is_not_there():
    assert unknown("`tests/docs/test_promises.py::test_nothing_like_this`") == [
        "tests/docs/test_promises.py::test_nothing_like_this"
    ]
