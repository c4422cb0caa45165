"""The page about security names every requirement once, says what became of it, and shows it by tests and files that exist."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from tests.docs.test_promises import NAMED, unknown
from tests.support.pages import ROOT

# OWASP ASVS 5.0.0, what levels 1 and 2 ask for: section, then its numbers.
ASKED = """
1.1:1-2 1.2:1-9 1.3:1-11 1.4:1-3 1.5:1-2
2.1:1-3 2.2:1-3 2.3:1-4 2.4:1
3.2:1-2 3.3:1-4 3.4:1-6 3.5:1-5 3.7:1-2
4.1:1-3 4.2:1 4.3:1-2 4.4:1-4
5.1:1 5.2:1-3 5.3:1-2 5.4:1-3
6.1:1-3 6.2:1-12 6.3:1-4 6.4:1-4 6.5:1-5 6.6:1-3 6.8:1-4
7.1:1-3 7.2:1-4 7.3:1-2 7.4:1-5 7.5:1-2 7.6:1-2
8.1:1-2 8.2:1-3 8.3:1 8.4:1
9.1:1-3 9.2:1-4
10.1:1-2 10.2:1-2 10.3:1-4 10.4:1-11 10.5:1-5 10.6:1-2 10.7:1-3
11.1:1-2 11.2:1-3 11.3:1-3 11.4:1-4 11.5:1 11.6:1
12.1:1-3 12.2:1-2 12.3:1-4
13.1:1 13.2:1-5 13.3:1-2 13.4:1-5
14.1:1-2 14.2:1-4 14.3:1-3
15.1:1-3 15.2:1-3 15.3:1-7
16.1:1 16.2:1-5 16.3:1-4 16.4:1-3 16.5:1-3
17.1:1 17.2:1-4 17.3:1-2
"""
HOW_MANY = 253
FILES = re.compile(r"`((?:appliance|mqtt_bridge|drivers|ansible|tests|docs)/[\w./-]+\.\w+|[\w.-]+\.(?:toml|lock))`")
PAGES = re.compile(r"\]\((?:[\w-]+\.md)?(?:#[\w-]+)?\)")


class Row(NamedTuple):
    """One line of a table."""

    id: str
    what: str
    status: str
    proof: str


def asked() -> list[str]:
    """Every requirement by its number."""
    found = []
    for section, numbers in (each.split(":") for each in ASKED.split()):
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            found += [f"V{section}.{number}" for number in range(int(first), int(last or first) + 1)]
    return found


def text() -> str:
    return (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def rows(page: str) -> list[Row]:
    return [Row(*found) for found in re.findall(r"^\| (V[\d.]+) \| (.*?) \| (.*?) \| (.*) \|$", page, re.MULTILINE)]


def wrong(row: Row) -> str:
    """What is wrong with a line, nothing if it keeps its word."""
    shown = NAMED.findall(row.proof) or FILES.findall(row.proof) or PAGES.findall(row.proof)
    if row.status not in {"met", "not applicable", "open"}:
        return f"{row.id}: no such status"
    if row.status == "met" and not shown:
        return f"{row.id}: met, but nothing shows it"
    if row.status != "met" and len(row.proof) < 5:
        return f"{row.id}: no reason"
    if missing := [name for name in FILES.findall(row.proof) if not (ROOT / name).is_file()]:
        return f"{row.id}: {missing}"
    return f"{row.id}: {row.proof}" if unknown(row.proof) or not row.what.strip() else ""


def test_every_requirement_of_levels_one_and_two_stands_there_once():
    assert len(asked()) == len(set(asked())) == HOW_MANY
    assert [row.id for row in rows(text())] == asked()


def test_every_requirement_has_a_status_and_what_is_met_is_shown():
    assert [problem for row in rows(text()) if (problem := wrong(row))] == []


def test_the_sums_are_right():
    count = Counter(row.status for row in rows(text()))
    words = f"Of {HOW_MANY} requirements {count['met']} are met, {count['not applicable']} do not apply, {count['open']} are open."
    assert words in text()


def test_the_check_sees_a_claim_that_nothing_shows():
    assert wrong(Row("V1.1.1", "x", "met", "surely"))
    assert wrong(Row("V1.1.1", "x", "met", "`tests/docs/test_security.py::test_nothing_like_this`"))
    assert wrong(Row("V1.1.1", "x", "met", "`appliance/web/nothing.py`"))
    assert wrong(Row("V1.1.1", "x", "done", "`appliance/web/csrf.py`"))
    assert not wrong(Row("V1.1.1", "x", "open", "not yet there"))
