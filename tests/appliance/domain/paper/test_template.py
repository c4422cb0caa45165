"""Templates: what organisers may write, and what they are told when it is wrong."""

from __future__ import annotations

import pytest

from appliance.domain.paper import DEFAULTS, FIELDS, KINDS, LISTS, TemplateErrors, parse
from appliance.domain.paper.template import MOST_LINES, Each, Line, fill

FACTS = frozenset({"event", "code", "seat"})
TICKETS = {"tickets": frozenset({"price"})}


def problems(text: str) -> list[str]:
    with pytest.raises(TemplateErrors) as wrong:
        parse(text, FACTS, TICKETS)
    return [str(each) for each in wrong.value.problems]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_default_that_its_own_rules_accept(kind: str) -> None:
    assert parse(DEFAULTS[kind], FIELDS[kind], LISTS[kind]).parts


def test_a_line_is_a_block_with_its_style() -> None:
    template = parse("# remark\n\ncenter bold huge Gate {code}\nfeed 3\nlogo\ncolumns bold A | {event}", FACTS, {})
    assert template.parts == (
        Line("center", "Gate {code}", bold=True, size=3),
        Line("feed", lines=3),
        Line("logo"),
        Line("columns", "A", "{event}", bold=True),
    )


def test_a_list_repeats_its_lines_and_adds_its_facts() -> None:
    template = parse("each tickets\nleft {price} of {event}\nend\nrule", FACTS, TICKETS)
    assert template.parts == (Each("tickets", (Line("left", "{price} of {event}"),)), Line("rule"))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("shout {event}", 1, "'shout' is no way to begin a line"),
        ("rule\nleft {seats}", 2, "no fact {seats} here; it can be one of code, event, seat"),
        ("left {price}", 1, "no fact {price}"),
        ("left {", 1, "a single brace"),
        ("columns {event}", 1, "two texts with | between"),
        ("feed 99", 1, "from 1 to 10"),
        ("feed ²", 1, "from 1 to 10"),
        ("qr", 1, "say what qr is to show"),
        ("left bold", 1, "say what left is to show"),
        ("rule {event}", 1, "stands alone"),
        ("each tickets\nrule", 2, "each tickets (line 1) has no end"),
        ("each guests\nend", 1, "no list 'guests' here; it can be one of tickets"),
        ("each tickets\neach tickets\nend", 2, "inside another each"),
        ("end", 1, "end without an each"),
        ("rule\n" * (MOST_LINES + 1), MOST_LINES + 1, "at most"),
        ("each tickets\n" + "rule\n" * 21 + "end", 22, "an each has at most 20 lines"),
        ("feed 000199", 1, "from 1 to 10"),
        ("left " + "x" * 5000, 1, "longer than"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_to_write(text: str, line: int, words: str) -> None:
    found = problems(text)
    assert found[0].startswith(f"Line {line}: ")
    assert words in found[0]


def test_all_mistakes_are_reported_at_once() -> None:
    assert len(problems("shout\nleft {nope}\nfeed x")) == 3


def test_a_text_whose_facts_are_all_empty_vanishes_and_braces_can_be_written() -> None:
    facts = {"event": "Jam", "seat": ""}
    assert fill("Seat {seat}", facts) is None
    assert fill("{event} {seat} ", facts) == "Jam"
    assert fill("{{event}} {event}", facts) == "{event} Jam"
    assert fill("no facts", facts) == "no facts"


def test_facts_are_never_read_as_template() -> None:
    """An event called {code} prints as it is called."""
    assert fill("{event}", {"event": "{code}", "code": "SECRET"}) == "{code}"
