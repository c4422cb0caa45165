"""What the doctor found, and how it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Literal

import msgspec

State = Literal["ok", "warn", "fail"]
_COLOURS = {"ok": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[31m"}
_PLAIN = "\x1b[0m"


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, how it is, and what to do unless it is well."""

    check: str
    state: State
    detail: str
    fix: str = ""


def ok(check: str, detail: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", detail)


def warn(check: str, detail: str, fix: str) -> Finding:
    """It works, and should not stay like this."""
    return Finding(check, "warn", detail, fix)


def fail(check: str, detail: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(check, "fail", detail, fix)


def report(findings: Iterable[Finding], *, as_json: bool) -> int:
    """Print the findings; return 1 if anything failed, else 0."""
    found = list(findings)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        for each in found:
            print(_line(each))
    return 1 if any(each.state == "fail" for each in found) else 0


def _line(finding: Finding) -> str:
    state = finding.state.ljust(4)
    if sys.stdout.isatty():
        state = f"{_COLOURS[finding.state]}{state}{_PLAIN}"
    fix = f"\n                 {finding.fix}" if finding.fix else ""
    return f"{state} {finding.check:<11} {finding.detail}{fix}"
