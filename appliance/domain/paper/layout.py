"""From the facts of a print job and its template to a document for any printer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from appliance.domain.paper.defaults import DEFAULTS
from appliance.domain.paper.fields import FIELDS, LISTS, Facts, facts_of
from appliance.domain.paper.template import Line, Template, TemplateErrors, fill, parse
from appliance.domain.printing import NoSale, Printable, SalesReceipt
from drivers.printer.document import QR, Align, Block, Columns, Cut, Document, Drawer, Feed, Image, Rule, Text, Title

LOGO_SHARE = 0.6
PHOTO_SHARE = 0.7

Marks = tuple[str, ...]
"""Words that stand above everything, such as REPRINT."""


@dataclass(frozen=True, slots=True)
class Stationery:
    """The organiser's templates by kind, encoded pictures (the logo, and photos by id), and whether cash opens the drawer."""

    templates: Mapping[str, str] = field(default_factory=dict)
    logo: bytes | None = None
    photos: Mapping[str, bytes] = field(default_factory=dict)
    drawer: bool = False

    def template(self, kind: str) -> Template:
        """Return the template of a kind; the product's own where the organiser has none, or one that cannot be used.

        A newer cloud may know facts that this device does not, and paper must come out all the same.
        """
        own = self.templates.get(kind)
        if own:
            try:
                return parse_for(kind, own)
            except TemplateErrors:
                pass
        return parse_for(kind, DEFAULTS[kind])


def parse_for(kind: str, text: str) -> Template:
    """Return the template of a kind; raises ``TemplateErrors``."""
    return parse(text, FIELDS[kind], LISTS[kind])


def lay_out(job: Printable, stationery: Stationery, marks: Marks = ()) -> Document:
    """Return the document of a job; ``marks`` stand on top, so that it cannot pass for something else."""
    facts = facts_of(job)
    head: list[Block] = [Text(mark, bold=True, size=2, align=Align.CENTER) for mark in marks]
    if marks:
        head.append(Rule())
    elif stationery.drawer and (isinstance(job, NoSale) or (isinstance(job, SalesReceipt) and job.method == "cash")):
        # First of all: change is counted while the paper still comes. A reprint takes no money, and a drill neither.
        head.append(Drawer())
    return Document.of(head, _body(stationery.template(facts.kind), facts, stationery), Feed(1), Cut())


def _body(template: Template, facts: Facts, stationery: Stationery) -> Iterator[Block]:
    for part in template.parts:
        if isinstance(part, Line):
            yield from _block(part, facts.values, facts, stationery)
            continue
        for item in facts.lists.get(part.name, ()):
            for line in part.lines:
                yield from _block(line, {**facts.values, **item}, facts, stationery)


def _block(line: Line, values: Mapping[str, str], facts: Facts, stationery: Stationery) -> Iterator[Block]:
    match line.word:
        case "rule":
            yield Rule()
        case "feed":
            yield Feed(line.lines)
        case "logo" if stationery.logo:
            yield Image(stationery.logo, share=LOGO_SHARE)
        case "photo" if facts.photo in stationery.photos:
            yield Image(stationery.photos[facts.photo], share=PHOTO_SHARE)
        case "logo" | "photo":
            return
        case "columns":
            left, right = fill(line.text, values), fill(line.right, values)
            if left is not None or right is not None:
                yield Columns(left or "", right or "", bold=line.bold)
        case word:
            text = fill(line.text, values)
            if text:
                yield _text(word, text, line)


def _text(word: str, text: str, line: Line) -> Block:
    if word == "title":
        return Title(text)
    if word == "qr":
        return QR(text)
    return Text(text, bold=line.bold, size=line.size, align=Align(word))
