"""How the parts are run that boot something: a part that failed or is missing fails the whole, and caches keep what is used."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.system import __main__ as everything
from tests.system import debian, figures
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


@pytest.mark.parametrize(("limit_min", "status"), [(45, 0), (-1, 1)])
def test_a_run_that_takes_too_long_fails_after_it_wrote_its_figures(
    limit_min: int, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{figures.BEGIN}\n{figures.table([])}\n{figures.END}\n")
    for name, value in (("ALONE", ()), ("TOGETHER", (("figures",),)), ("LIMIT_MIN", limit_min), ("PAGE", page)):
        monkeypatch.setattr(everything, name, value)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert everything.main(["--write"]) == status
    assert f"| all | every part, caches warm | 0 min | <= {limit_min} min |" in page.read_text()
    assert ("must be" in capsys.readouterr().err) == bool(status)


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
