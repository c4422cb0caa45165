"""Every command that a page shows exists, with the options shown, and every command is explained somewhere."""

from __future__ import annotations

import argparse
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli import parser
from tests.support.pages import ROOT, Page, pages


def make_targets() -> set[str]:
    """Targets that a person types: those with a word of help."""
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


@functools.cache
def commands() -> dict[str, str]:
    """The help of every command of the program, by name."""
    found = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: command.format_help() for each in found for name, command in each.choices.items()}


def shown(page: Page) -> list[list[str]]:
    """Every ``make ...`` and ``marquee ...`` that a page sets as code, as words."""
    # `marquee-cloud` and `marquee-device` are the same command with the settings and the account of a host.
    pattern = r"(?:^|&& |\$ |; |sudo |bin/)((?:make|marquee(?:-cloud|-device)?) [a-z][^&;|>]*)"
    found = [command for code in page.code() for command in re.findall(pattern, code.strip())]
    found = [re.sub(r"^marquee-\w+", "marquee", command) for command in found]
    return [re.sub(r"[\"'=]", " ", command).split() for command in found]


def mistakes(page: Page) -> list[str]:
    """Return the commands and options on a page that do not exist."""
    wrong = []
    for tool, name, *rest in shown(page):
        known = make_targets() if tool == "make" else set(commands())
        if name not in known:
            wrong.append(f"{tool} {name}")
        elif tool == "marquee" or name == "demo":
            options = [word for word in rest if word.startswith("--")]
            wrong += [f"{tool} {name} {option}" for option in options if option not in commands()[name]]
    return wrong


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_shows_exists(page: Page):
    assert mistakes(page) == []


def test_every_command_is_explained_on_some_page():
    explained = {words[1] for page in pages() for words in shown(page) if words[0] == "marquee"}
    assert set(commands()) - explained == set()


def test_the_program_has_the_commands_that_others_rely_on():
    assert {"demo", "portal", "desk", "bridge", "reconciler", "console", "doctor", "import"} <= set(commands())


def test_the_check_sees_a_command_and_an_option_that_do_not_exist():
    page = Page("x.md", 'Type `make coffee` or `marquee juggle`.\n\n```sh\nmake demo ARGS="--elephants 3"\n```\n')
    assert mistakes(page) == ["make demo --elephants", "make coffee", "marquee juggle"]


def test_make_alone_lists_every_target():
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make"], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT, env=outside)
    assert {line.split()[1] for line in done.stdout.splitlines()} == make_targets()


def test_the_installed_command_is_the_documented_one():
    assert Path(sys.executable).with_name("marquee").exists()
