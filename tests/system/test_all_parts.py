"""How the parts are run that boot something: a part that failed or is missing fails the whole, and caches keep what is used."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.system import debian
from tests.system.__main__ import PARTS, PROJECT, Run


def test_every_part_is_a_module() -> None:
    assert all((PROJECT / "tests/system" / part / "__main__.py").exists() for part in PARTS)


def test_a_part_that_does_not_end_well_is_named_and_the_next_one_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(dict(os.environ))
    run.lane(("nowhere", "figures"))
    assert run.failed == ["nowhere"]
    told = capsys.readouterr().out
    assert "nowhere | " in told, "what it said stands behind its name"
    assert "=== figures: well" in told


def test_after_a_signal_nothing_more_begins(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(dict(os.environ))
    run.end(signal.SIGTERM)
    run.lane(("figures",))
    assert capsys.readouterr().out == ""
    assert run.ended_by == signal.SIGTERM


def test_a_cache_forgets_what_was_not_used_and_what_was_left_half_made(tmp_path: Path) -> None:
    for name in ("used", "unused", "building-x"):
        (tmp_path / name).mkdir()
    for name in ("lock", "unused.tar"):
        (tmp_path / name).touch()
    for name in ("unused", "unused.tar", "lock"):
        os.utime(tmp_path / name, (0, 0))
    debian.forget_old(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"used", "lock"}
