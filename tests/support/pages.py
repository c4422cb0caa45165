"""Reads the project's Markdown pages the way the checks of the documentation need them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXTS = ("appliance", "drivers", "mqtt_bridge", "tests", "bench", "docs", "image", "ansible", ".ci")
SUFFIXES = {"", ".css", ".html", ".ini", ".j2", ".js", ".md", ".py", ".sh", ".svg", ".toml", ".txt", ".yaml", ".yml"}


@dataclass(frozen=True)
class Page:
    """One page: its path from the root and its text."""

    name: str
    text: str

    def fences(self) -> Iterator[str]:
        """Yield the lines inside fenced blocks, without trailing shell comments."""
        inside = False
        for line in self.text.splitlines():
            if line.lstrip().startswith("```"):
                inside = not inside
            elif inside:
                yield re.sub(r"(^|\s)# .*", "", line)

    def spans(self) -> Iterator[str]:
        """Yield the inline code outside fenced blocks."""
        for paragraph in self.prose().split("\n\n"):
            for span in re.findall(r"`([^`]+)`", paragraph):
                yield " ".join(span.split())

    def code(self) -> list[str]:
        """Everything set as code."""
        return [*self.fences(), *self.spans()]

    def prose(self) -> str:
        """The text without fenced blocks."""
        return re.sub(r"^[ \t]*```.*?^[ \t]*```[ \t]*$", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def tables(self, first_header: str) -> Iterator[dict[str, str]]:
        """Yield the rows, by lower-case header, of every table whose first column has this header."""
        headers: list[str] = []
        for line in self.text.splitlines():
            cells = _cells(line)
            if not cells:
                headers = []
            elif not headers:
                headers = [cell.lower() for cell in cells]
            elif headers[0] == first_header and not set("".join(cells)) <= set("-: "):
                yield dict(zip(headers, cells, strict=False))

    def anchors(self) -> set[str]:
        """What a link's fragment may name, made from the headings as common viewers do."""
        headings = re.findall(r"^#{1,6} +(.*)$", self.prose(), flags=re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}

    def links(self) -> list[str]:
        """Targets of links and pictures that point into the project."""
        targets = re.findall(r"\]\(<?([^)>\s]+)>?(?: \"[^\"]*\")?\)", self.prose())
        return [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def _cells(line: str) -> list[str]:
    if not line.strip().startswith("|"):
        return []
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def pages() -> list[Page]:
    """The README, the changelog and everything in docs, sorted by name."""
    files = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    return [Page(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]


def texts() -> list[Page]:
    """Every text file that the project's people write, code and templates included."""
    files = [file for folder in TEXTS for file in sorted((ROOT / folder).rglob("*")) if file.suffix in SUFFIXES]
    files = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    files += [file for file in sorted(ROOT.iterdir()) if file.suffix in {".md", ".toml"} or file.name == "Makefile"]
    return [Page(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]
