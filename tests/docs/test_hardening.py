"""The page about hardening says what the roles set, and forgets nothing of it."""

from __future__ import annotations

import re

import pytest

from tests.support.pages import ROOT
from tests.support.roles import ROLES, defaults, render

PAGE = (ROOT / "docs" / "hardening.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+\.\d+ ", line)
]
WHERE = re.compile(r"`([a-z]+/(?:templates|tasks|defaults|files)/[\w./-]+)`:((?: `[^`]+`(?!:))+)")


def text_of(path: str) -> str:
    """Return a file of a role, a template with everything filled in."""
    role, kind, name = path.split("/", 2)
    return render(role, name) if kind == "templates" else (ROLES / path).read_text(encoding="utf-8")


SHOWN = [
    (row[0], path, setting)
    for row in ROWS
    for path, settings in WHERE.findall(row[4])
    for setting in re.findall(r"`([^`]+)`", settings)
]


def test_rows_are_numbered_once_and_say_how_they_stand() -> None:
    numbers = [row[0] for row in ROWS]
    assert len(numbers) == len(set(numbers)) > 40
    assert {row[2] for row in ROWS} == {"met", "other", "n/a", "open"}
    assert [row[0] for row in ROWS if row[2] != "met" and not row[3]] == [], "no reason is given"


@pytest.mark.parametrize(("number", "path", "setting"), SHOWN)
def test_what_the_page_says_is_what_the_role_sets(number: str, path: str, setting: str) -> None:
    assert setting in text_of(path), number


def test_the_page_forgets_no_setting_of_kernel_modules_and_ssh() -> None:
    told = {(path, setting) for _number, path, setting in SHOWN}
    ours = "hardening/defaults/main.yml"
    kernel = {(ours, f"{key}: {value}") for key, value in defaults("hardening")["hardening_sysctl"].items()}
    assert {each for each in kernel if each not in told and "core_pattern" not in each[1]} == set()
    modules = {line for line in render("hardening", "modules.conf.j2").splitlines() if line.startswith("install")}
    assert modules - {setting for _path, setting in told} == set()
    ssh = {line for line in render("hardening", "sshd.conf.j2").splitlines() if line and not line.startswith("#")}
    assert {line for line in ssh if line not in {setting for _path, setting in told} and "HostKey" not in line} == set()
