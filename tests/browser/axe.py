"""axe-core over a page: every rule of WCAG 2.2, levels A and AA."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
_RULES = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": _LEVELS}}
_COLOURS = {"resultTypes": ["violations"], "runOnly": {"type": "rule", "values": ["color-contrast"]}}
_axe = Axe()


def violations(page: Page) -> list[str]:
    """Return what axe finds in the page as it is in light, and in its colours in dark; each with the element."""
    found: list[str] = []
    for scheme, options in (("light", _RULES), ("dark", _COLOURS)):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        result: Any = _axe.run(page, options=options).response
        found += [
            f"{scheme}: {each['id']}: {node['html'][:160]}" for each in result["violations"] for node in each["nodes"]
        ]
    page.emulate_media(color_scheme="light")
    return found
