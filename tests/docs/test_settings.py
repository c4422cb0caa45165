"""The table of settings and the settings of the program are one and the same."""

from __future__ import annotations

from appliance.settings import FIELDS
from tests.support.pages import Page, pages


def documented(of: list[Page]) -> dict[str, dict[str, str]]:
    """Rows of every table whose first column is headed ``setting``, by key."""
    rows = [row for page in of for row in page.tables("setting")]
    return {row["setting"].strip("`"): row for row in rows}


def test_every_setting_is_documented_and_every_documented_setting_exists():
    assert set(documented(pages())) == {field.key for field in FIELDS}


def test_documented_defaults_are_the_real_ones():
    rows = documented(pages())
    wrong = {
        field.key: (row["default"], field.default)
        for field in FIELDS
        if (row := rows.get(field.key)) and "default" in row and row["default"].strip("`") != shown(field.default)
    }
    assert wrong == {}


def shown(default: object) -> str:
    """A default as the table shows it: empty for none, lower-case truth, otherwise as text."""
    if default is None or default == "":
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_check_reads_a_table():
    page = Page(
        "x.md",
        "| setting | default | means |\n|---|---|---|\n| `a.b` | `1` | x |\n\n| word | y |\n|---|---|\n| z | z |\n",
    )
    assert documented([page]) == {"a.b": {"setting": "`a.b`", "default": "`1`", "means": "x"}}
