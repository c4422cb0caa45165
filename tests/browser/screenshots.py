"""Pictures of every page, to look at: ``python -m tests.browser.screenshots [FOLDER] [--only NAME] [--quick]``.

Every state of the tours, in a language of each direction, light and dark, at three widths, with an ``index.html`` to see them side by
side. T0 has no scripts and no cookies; T1 is the same tour at the address with scripts, on a phone.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import structlog
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import tour
from tests.browser.venue import ARGUMENTS, read_example, serving

WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")
_HEIGHT = {360: 740, 768: 1024, 1280: 860}
_SETTLE_MS = 40
_EAGER = """() => Promise.all([...document.images].map(each => {
  each.loading = "eager";
  return each.complete ? 0 : new Promise(done => { each.onload = each.onerror = done; });
}))"""
_TALL = "() => document.documentElement.scrollHeight"


@dataclass
class Camera:
    """Takes a page at several widths, light and dark; remembers what it took as (name, file)."""

    page: Page
    folder: Path
    tag: str
    widths: tuple[int, ...]
    schemes: tuple[str, ...]
    only: str = ""
    taken: list[tuple[str, str]] = field(default_factory=list)

    def take(self, name: str) -> None:
        """Take the whole page; what sticks to the window's edge is then at the page's edge."""
        if self.only not in name:
            return
        for scheme in self.schemes:
            self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            for width in self.widths:
                file = f"{name}.{self.tag}.{scheme}.{width}.png"
                self._fit(width)
                self.page.screenshot(path=self.folder / file)
                self.taken.append((name, file))
        self.page.set_viewport_size({"width": self.widths[0], "height": _HEIGHT[self.widths[0]]})

    def _fit(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": _HEIGHT[width]})
        self.page.evaluate(_EAGER)
        tall = self.page.evaluate(_TALL)
        self.page.set_viewport_size({"width": width, "height": max(tall, _HEIGHT[width])})
        self.page.wait_for_timeout(_SETTLE_MS)


def shoot(
    browser: Browser,
    folder: Path,
    lang: str,
    part: Callable[[tour.Tour], None],
    options: argparse.Namespace,
    *,
    t1: bool,
) -> list[tuple[str, str]]:
    """Walk one part in one language and return what was taken."""
    example = read_example()
    quick = options.quick or t1
    with tempfile.TemporaryDirectory() as data:
        leases = Path(data) / "leases"
        leases.write_text("", encoding="utf-8")
        with serving(
            Path(data), example, tour.grants(example.catalogue), secure=t1, leases_file=None if t1 else leases
        ) as venue:
            scripts = t1 or part is tour.staff
            context = browser.new_context(
                base_url=venue.url,
                viewport={"width": 360, "height": _HEIGHT[360]},
                java_script_enabled=scripts,
                service_workers="block",
            )
            context.set_default_timeout(10_000)
            tag = f"{'T1' if t1 else 'T0' if part is tour.guests else 'staff'}.{lang}"
            camera = Camera(context.new_page(), folder, tag, WIDTHS[:1] if quick else WIDTHS, SCHEMES, options.only)
            part(tour.Tour(camera.page, venue, lang, camera.take))
            context.close()
    return camera.taken


def sheet(taken: list[tuple[str, str]]) -> str:
    """Return the page that shows every picture, a state a row."""
    rows: dict[str, list[str]] = {}
    for name, file in taken:
        rows.setdefault(name, []).append(file)
    figures = {
        name: "".join(
            f'<a href="{escape(file)}"><img loading="lazy" alt="" src="{escape(file)}"><small>{escape(file)}</small></a>'
            for file in files
        )
        for name, files in rows.items()
    }
    body = "".join(f"<h2>{escape(name)}</h2><div>{figure}</div>" for name, figure in figures.items())
    style = (
        "body{font:1rem system-ui;margin:1.5rem;background:#ddd}div{display:flex;gap:1rem;overflow-x:auto;align-items:start}"
        "a{flex:none;color:inherit;text-decoration:none}img{block-size:30rem;display:block;background:#fff}small{display:block}"
    )
    return f"<!doctype html><meta charset=utf-8><title>Marquee, every page</title><style>{style}</style><h1>Every page</h1>{body}"


def main() -> None:
    """Take them all."""
    asked = argparse.ArgumentParser(description="Pictures of every page.")
    asked.add_argument("folder", nargs="?", default="build/screenshots", type=Path)
    asked.add_argument("--only", default="", help="states whose name holds this")
    asked.add_argument("--quick", action="store_true", help="phones only")
    asked.add_argument("--lang", default="en,ar", help="languages, by their codes")
    options = asked.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("*.png"):
        old.unlink()
    taken: list[tuple[str, str]] = []
    if shutil.which("chromium") is None:
        asked.error("chromium is not installed: .ci/setup-system")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        for lang in options.lang.split(","):
            taken += shoot(browser, options.folder, lang, tour.guests, options, t1=False)
            taken += shoot(browser, options.folder, lang, tour.staff, options, t1=False)
        taken += shoot(browser, options.folder, "en", tour.booking, options, t1=True)
        browser.close()
    (options.folder / "index.html").write_text(sheet(taken), encoding="utf-8")
    print(f"{len(taken)} pictures; open {options.folder / 'index.html'}")


if __name__ == "__main__":
    main()
