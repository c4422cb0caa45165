"""What somebody without a mouse, or without eyes, gets of a page: what the Tab key reaches, and what the accessibility tree says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import CDPSession, Page

MOST_STOPS = 120

_TOP = "() => { const top = document.documentElement; top.tabIndex = -1; top.focus(); top.removeAttribute('tabindex'); scrollTo(0, 0); }"
# What has the focus: is it on the screen, is it what a finger there would hit, and does it look any different?
_FOCUSED = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const box = it.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const hits = (x, y) => { const top = document.elementFromPoint(x, y); return !!top && (it.contains(top) || top.contains(it)); };
  const style = getComputedStyle(it);
  const inside = box.top >= -1 && box.bottom <= innerHeight + 1;
  const ends = box.height > 8 ? hits(x, box.top + 3) && hits(x, box.bottom - 3) : hits(x, y);
  const card = it.closest(".card") ? getComputedStyle(it.closest(".card")).outlineStyle : "none";
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")];
  return {
    name: (it.innerText || it.getAttribute("aria-label") || it.name || it.id).trim().slice(0, 40),
    place: all.indexOf(it),
    seen: inside && hits(x, y) && ends,
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 || card !== "none",
  };
}"""
_REACHABLE = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
  .filter(each => !each.disabled && each.tabIndex >= 0 && each.checkVisibility({checkVisibilityCSS: true})).length"""


_REORDERED = """() => [...document.querySelectorAll("*")].filter(each => each.tabIndex > 0).map(each => each.outerHTML.slice(0, 60))"""


@dataclass(frozen=True)
class Stop:
    """One press of Tab: what has the focus, its place among all controls, whether it is seen whole and marked."""

    name: str
    place: int
    seen: bool
    ring: bool


def stops(page: Page) -> list[Stop]:
    """Press Tab from the top of the page until the focus leaves it."""
    page.evaluate(_TOP)
    found: list[Stop] = []
    for _press in range(MOST_STOPS):
        page.keyboard.press("Tab")
        now: dict[str, Any] | None = page.evaluate(_FOCUSED)
        if now is None or (found and now["place"] <= found[0].place and len(found) > 1):
            break
        found.append(Stop(**now))
    return found


def complaints(page: Page) -> dict[str, list[str]]:
    """Return what a keyboard finds wrong with a page."""
    walked = stops(page)
    places = [each.place for each in walked]
    radios = page.evaluate("() => Math.max(0, document.querySelectorAll('input[type=radio]').length - 1)")
    missing = page.evaluate(_REACHABLE) - radios - len(walked)
    found = {
        "hidden behind something": [each.name for each in walked if not each.seen],
        "not marked": [each.name for each in walked if not each.ring],
        "order": page.evaluate(_REORDERED) + ([] if places == sorted(places) else [str(places)]),
        "not reached": [f"{missing} controls"] if missing > 0 else [],
    }
    return {kind: each for kind, each in found.items() if each}


class Listener:
    """Somebody with a keyboard and a screen reader: presses keys, and knows of the page only what its accessibility tree says."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._session: CDPSession = page.context.new_cdp_session(page)

    def tree(self) -> list[tuple[str, str, bool]]:
        """Return (role, name, focused) of everything that is spoken."""
        nodes: list[dict[str, Any]] = self._session.send("Accessibility.getFullAXTree")["nodes"]
        return [
            (
                each.get("role", {}).get("value", ""),
                each.get("name", {}).get("value", "").strip(),
                any(one["name"] == "focused" and one["value"].get("value") for one in each.get("properties", [])),
            )
            for each in nodes
            if not each.get("ignored")
        ]

    def says(self, role: str, words: str) -> bool:
        """Whether something of ``role`` is called, or begins with, ``words``."""
        return any(kind == role and name.startswith(words) for kind, name, _focused in self.tree())

    def reach(self, role: str, words: str) -> None:
        """Press Tab until what has the focus is called ``words``."""
        heard: list[str] = []
        for _press in range(MOST_STOPS):
            self.page.keyboard.press("Tab")
            for kind, name, focused in self.tree():
                if focused and kind not in {"RootWebArea", "WebArea"}:
                    heard.append(f"{kind} {name}")
                    if kind == role and name.startswith(words):
                        return
        raise AssertionError(f"no {role} called {words!r}; heard: {heard}")

    def activate(self, role: str, words: str) -> None:
        """Reach something and press Enter; comes back on the page that it leads to."""
        self.reach(role, words)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
