"""One meaning per word, and nothing that is true on one machine only."""

from __future__ import annotations

import re

from tests.support.pages import Page, texts

THIS = "tests/docs/test_words.py"
# A DHCP lease is the one kind of lease this product knows: in code a file has to say so once, on a page the lines around.
LEASE = re.compile(r"\bleases?\b|\bleased\b", re.IGNORECASE)
DHCP = re.compile(r"dhcp|dnsmasq|leases_file|lease_file|\.leases\b", re.IGNORECASE)
FORBIDDEN = {
    "reservation": re.compile(r"\breserv(?:ation|ations|ed by|e a)\b", re.IGNORECASE),
    "open task": re.compile(r"\b(?:TODO|FIXME)\b|\b(?:XXX|HACK):"),
    "package index": re.compile(r"(?<!emit-)index-url", re.IGNORECASE),
    "somebody's machine": re.compile(r"(?<![\w.])/(?:work|root)/\w|/home/(?!marquee\b)\w+/"),
}


def mistakes(page: Page) -> list[str]:
    """Return one line per forbidden word: where, which rule, the line."""
    found = []
    lines = page.text.splitlines()
    for number, line in enumerate(lines, 1):
        around = page.text if page.name.endswith(".py") else " ".join(lines[max(0, number - 3) : number + 2])
        if LEASE.search(line) and not DHCP.search(around):
            found.append(f"{page.name}:{number}: lease: {line.strip()}")
        found += [
            f"{page.name}:{number}: {rule}: {line.strip()}" for rule, words in FORBIDDEN.items() if words.search(line)
        ]
    return found


def test_no_forbidden_word_is_used_anywhere():
    assert [mistake for page in texts() if page.name != THIS for mistake in mistakes(page)] == []


def test_the_check_sees_forbidden_words_but_not_their_neighbours():
    page = Page(
        "x.md", "Your reservation\n\n\n\nthe lease ended\n\n\n\nreleased\n\n\n\nby DHCP lease\n\n\n# TODO later\n"
    )
    assert [line.split(": ")[1] for line in mistakes(page)] == ["reservation", "lease", "open task"]
