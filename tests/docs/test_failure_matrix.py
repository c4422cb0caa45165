"""The failure matrix has every row, each row has tests, and page and tests name each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import ROOT

PAGE = ROOT / "docs" / "failure-matrix.md"
ROWS = set(range(1, 32))


def on_the_page(text: str) -> dict[int, set[str]]:
    """Ids of tests by row of the list below the table."""
    listed: dict[int, set[str]] = {}
    for number, tests in re.findall(
        r"^(\d+)\. ((?:.|\n(?!\d+\. ))*)", text.partition("## Tests")[2], flags=re.MULTILINE
    ):
        listed[int(number)] = set(re.findall(r"`(tests/[^`]+::\w+)`", tests))
    return listed


def marked(root: Path) -> dict[int, set[str]]:
    """Ids of tests by the rows that their ``fault`` marks name."""
    found: dict[int, set[str]] = {}
    for path in sorted((root / "tests").rglob("*.py")):
        for name, row in faults(path.read_text(encoding="utf-8")):
            found.setdefault(row, set()).add(f"{path.relative_to(root).as_posix()}::{name}")
    return found


def faults(source: str) -> Iterator[tuple[str, int]]:
    """(test, row) of every ``fault`` mark on a function of a module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                    yield from ((node.name, ast.literal_eval(each)) for each in mark.args)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_row_of_the_matrix_is_there_with_fault_effect_and_sign(page: str):
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if re.match(r"\| \d", line)]
    assert {int(row[0]) for row in cells} == ROWS
    assert [row[0] for row in cells if len(row) != 4 or not all(row)] == []


def test_every_row_has_tests_and_page_and_tests_name_each_other(page: str):
    assert on_the_page(page) == marked(ROOT)
    assert set(on_the_page(page)) == ROWS
    assert all(on_the_page(page).values())


def test_the_check_sees_a_mark_and_a_name():
    assert list(faults("@pytest.mark.slow\n@pytest.mark.fault(3, 12)\ndef test_x(): ...\n")) == [
        ("test_x", 3),
        ("test_x", 12),
    ]
    text = "## Tests by row\n\n1. `tests/a.py::test_b`\n   `tests/c.py::test_d`\n2. `tests/a.py::test_b`\n"
    assert on_the_page(text) == {1: {"tests/a.py::test_b", "tests/c.py::test_d"}, 2: {"tests/a.py::test_b"}}
