"""Links between pages lead somewhere, and files that pages name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.pages import ROOT, Page, pages

FOLDERS = ("appliance", "drivers", "mqtt_bridge")


def broken_links(page: Page) -> list[str]:
    """Return the links of a page whose file or heading does not exist."""
    return [link for link in page.links() if not leads_somewhere(page, link)]


def leads_somewhere(page: Page, link: str) -> bool:
    name, _, fragment = link.partition("#")
    target = (ROOT / page.name).parent / name if name else ROOT / page.name
    if not target.exists():
        return False
    if not fragment:
        return True
    return fragment in Page(target.name, target.read_text(encoding="utf-8")).anchors()


def missing_files(page: Page) -> list[str]:
    """Return the paths of Python files and of the project's folders, set as code, that are not there."""
    named = {span for span in page.spans() if re.fullmatch(r"[\w.-]+(/[\w.-]+)+(\.py|/)?", span)}
    ours = {name for name in named if name.endswith(".py") or name.split("/")[0] in {*FOLDERS, "tests", "docs"}}
    return sorted(name for name in ours if not is_there(name))


def is_there(name: str) -> bool:
    """A path counts from the root or from one of the three packages, as pages shorten it."""
    return any((base / name).exists() for base in [ROOT, *[ROOT / folder for folder in FOLDERS]])


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_internal_link_leads_to_a_page_and_a_heading(page: Page):
    assert broken_links(page) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Page):
    assert missing_files(page) == []


def test_the_check_sees_a_broken_link_and_a_missing_file():
    page = Page("README.md", "[a](docs/nothing.md) [b](README.md#nothing-here) [c](LICENSE) `drivers/nothing.py`")
    assert broken_links(page) == ["docs/nothing.md", "README.md#nothing-here"]
    assert missing_files(page) == ["drivers/nothing.py"]


def test_the_readme_opens_with_one_sentence_and_the_demo():
    first, sentence, demo, *_ = Path(ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")
    assert first == "# Marquee"
    assert sentence.count(". ") == 0
    assert "make demo" in demo
