"""Every unit that a page has somebody stop or start is one that the roles make, and a stop takes nothing along that a host stands on."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from appliance.settings import PROCESSES
from image import layers
from image.plan import VALUES
from tests.support.pages import Page, pages
from tests.support.roles import ROLES

# Debian's own, which the roles set up.
PACKAGED = {"mosquitto.service", "nginx.service", "hostapd.service"}
KINDS = ("service", "timer", "path")


def made() -> set[str]:
    """Every unit of ours: those of the roles, and those that only a card has."""
    found = {path.name.removesuffix(".j2") for path in ROLES.glob("*/templates/marquee-*.j2")}
    found |= {file.path.rpartition("/")[2] for layer in layers.load("pi4-pi5", VALUES) for file in layer.files}
    return {name for name in found if name.startswith("marquee-") and name.endswith(KINDS)}


def named(page: Page) -> list[str]:
    """The units behind each `systemctl stop`, `start` or `restart` of a page."""
    found = [re.search(r"systemctl (?:stop|start|(?:try-)?restart)((?: +[\w@.*'-]+)*)", code) for code in page.code()]
    words = [word.strip("'") for each in found if each for word in each[1].split()]
    return [word if word.endswith(tuple(f".{kind}" for kind in KINDS)) else f"{word}.service" for word in words]


def mistakes(page: Page) -> list[str]:
    """Units that nobody makes, and patterns for more than the instances of one of them."""
    known = made() | PACKAGED
    wrong = []
    for unit in named(page):
        meant = {each for each in known if each == unit or fnmatchcase(each, unit)}
        meant |= {each for each in known if "@." in each and unit.startswith(each.partition(".")[0])}
        if len(meant) != 1 or ("*" in unit.partition("@")[0]):
            wrong.append(unit)
    return wrong


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_what_a_page_stops_and_starts_is_made_and_named(page: Page):
    assert mistakes(page) == []


def test_the_check_sees_patterns_that_reach_too_far_and_units_that_nobody_makes():
    page = Page(
        "x.md",
        "`sudo systemctl stop 'marquee-*.service' marquee-coffee`, `systemctl restart 'marquee-reconciler@*' nginx`\n",
    )
    assert mistakes(page) == ["marquee-*.service", "marquee-coffee.service"]
    assert {"marquee-data.service", "marquee-ssh-key.service", "marquee-copy.timer"} <= made()


def test_a_device_is_restored_between_stopping_and_starting_its_processes():
    [page] = [page for page in pages() if page.name == "docs/losses.md"]
    lines = [line for line in page.fences() if re.search(r"systemctl|restore .*--device", line)]
    at = next(number for number, line in enumerate(lines) if "--device" in line)
    units = " ".join(PROCESSES)
    assert [lines[at - 1], lines[at + 1]] == [f"sudo systemctl {verb} {units}" for verb in ("stop", "start")]
