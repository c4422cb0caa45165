"""Pictures of every page, to look at: ``python -m tests.browser.screenshots [FOLDER] [--quick] [--only STATE] [--series WALK]``.

Every state of the tours, in a language of each direction, light and dark, at three widths, with an ``index.html`` to see them side by
side. T0 has no scripts and no cookies; T1 is the same tour at the address with scripts, on a phone.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import structlog
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import tour, tour_phone
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


@dataclass(frozen=True)
class Series:
    """One walk to take pictures of: its ``tag`` in the files' names, the language, what is walked, where, and on which tier."""

    tag: str
    lang: str
    part: Callable[[tour.Tour], None]
    widths: tuple[int, ...] = WIDTHS
    where: str = "lantern-hall"
    scripts: bool = False
    secure: bool = False


def series(languages: list[str]) -> list[Series]:
    """Return every walk: all of T0 and of the staff's pages, and on phones T1 and a venue with a brand of its own."""
    return [
        *(Series(f"T0.{lang}", lang, tour.guests) for lang in languages),
        *(Series(f"staff.{lang}", lang, tour.staff, scripts=True) for lang in languages),
        Series("T1.en", "en", tour.booking, WIDTHS[:1], scripts=True, secure=True),
        *(Series(f"phone.{lang}", lang, tour_phone.everything, scripts=True, secure=True) for lang in languages),
        Series("branded.en", "en", tour.booking, WIDTHS[:1], where="tram-depot"),
    ]


def shoot(browser: Browser, folder: Path, each: Series, only: str) -> list[tuple[str, str]]:
    """Walk one series and return what was taken."""
    example = read_example()
    # A door screen's stream may look into its box once more after the walk is over.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        # A box with leases is a hotspot, and shows its welcome page.
        leases = Path(data) / "leases"
        leases.write_text("", encoding="utf-8")
        stock = tour.grants(example.catalogue)
        with serving(
            Path(data),
            example,
            stock,
            secure=each.secure,
            where=each.where,
            leases_file=None if each.secure else leases,
        ) as venue:
            context = browser.new_context(
                base_url=venue.url, viewport={"width": 360, "height": 740}, java_script_enabled=each.scripts
            )
            context.set_default_timeout(10_000)
            camera = Camera(context.new_page(), folder, each.tag, each.widths, SCHEMES, only)
            each.part(tour.Tour(camera.page, venue, each.lang, camera.take))
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
    asked.add_argument("--series", default="", help="walks whose tag holds this: T0, staff, T1, branded")
    options = asked.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("*.png"):
        old.unlink()
    taken: list[tuple[str, str]] = []
    if shutil.which("chromium") is None:
        asked.error("chromium is not installed: .ci/setup-system")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        for each in series(options.lang.split(",")):
            chosen = replace(each, widths=each.widths[:1]) if options.quick else each
            if options.series in each.tag:
                taken += shoot(browser, options.folder, chosen, options.only)
        browser.close()
    (options.folder / "index.html").write_text(sheet(taken), encoding="utf-8")
    print(f"{len(taken)} pictures; open {options.folder / 'index.html'}")


if __name__ == "__main__":
    main()
