"""The table of settings is the one that the program itself writes, and no page names a setting that does not exist."""

from __future__ import annotations

import re

import pytest

from appliance.settings import FIELDS, as_markdown
from tests.support.pages import ROOT, Page, pages

KEYS = {field.key for field in FIELDS}
SECTIONS = {key.split(".")[0] for key in KEYS}
FILES = ("py", "md", "toml", "yaml", "yml", "lock", "json", "txt", "db", "pem", "sock", "log", "service", "css", "js")


def unknown_settings(page: Page) -> list[str]:
    """Return what a page sets as code and means as a setting, ``section.key`` or a variable, that is none."""
    named = {span for span in page.spans() if re.fullmatch(r"[a-z]+\.[a-z_]+", span) and not span.endswith(FILES)}
    variables = {word for code in page.code() for word in re.findall(r"\bMARQUEE_[A-Z_]+\b", code)}
    known = {field.variable for field in FIELDS} | {"MARQUEE_CONFIG"}
    unknown = {span for span in named if span.split(".")[0] in SECTIONS} - KEYS
    return sorted(unknown | {word for word in variables if not fits(word, known)})


def fits(variable: str, known: set[str]) -> bool:
    """A variable of a setting, or a pattern of them such as ``MARQUEE_`` and ``MARQUEE_BROKER_``."""
    return variable in known or (variable.endswith("_") and any(name.startswith(variable) for name in known))


def test_the_page_of_settings_has_the_table_that_the_program_writes():
    assert as_markdown() in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Page):
    assert unknown_settings(page) == []


def test_the_check_sees_settings_that_do_not_exist():
    page = Page(
        "x.md",
        "Set `broker.colour` and `broker.url`, or `MARQUEE_BROKER_COLOUR`, as all `MARQUEE_` ones in `portal.py`.",
    )
    assert unknown_settings(page) == ["MARQUEE_BROKER_COLOUR", "broker.colour"]
