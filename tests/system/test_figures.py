"""Figures of the system tests on their page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system import figures
from tests.system.figures import Figure

PAGE = f"head\n{figures.BEGIN}\n{figures.table([Figure('power', 'cuts', '10', '10'), Figure('board', 'boot', '9 s')])}\n{figures.END}\nfoot\n"


def test_a_figure_takes_the_place_of_its_namesake_and_of_no_other() -> None:
    merged = figures.merged(PAGE, [Figure("board", "boot", "8 s", "<= 9 s"), Figure("board", "memory", "200 MB")])
    assert "| power | cuts | 10 | 10 |" in merged
    assert "| board | boot | 8 s | <= 9 s |" in merged
    assert "9 s |  |" not in merged
    assert merged.startswith("head\n")
    assert merged.endswith("\nfoot\n")
    assert figures.merged(merged, []) == merged


def test_a_part_that_ran_with_fewer_steps_keeps_what_it_did_not_tell() -> None:
    page = figures.merged(PAGE, [Figure("power", "orders", "900")])
    assert "| power | cuts | 10 | 10 |\n| power | orders | 900 |  |" in page
    assert "| board | boot | 9 s |  |" in page


def test_what_a_whole_run_no_longer_tells_leaves_the_page() -> None:
    page = figures.merged(PAGE, [Figure("power", "orders", "900")], whole=["power"])
    assert "| power | orders | 900 |  |" in page
    assert "cuts" not in page
    assert "| board | boot | 9 s |  |" in page, "another part's"


def test_a_page_without_its_place_is_refused() -> None:
    with pytest.raises(ValueError, match="figures: begin"):
        figures.merged("nothing here", [])


def test_what_is_told_twice_is_the_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "figures"
    monkeypatch.setenv(figures.FILE_VARIABLE, str(file))
    figures.tell("power", "cuts", "1")
    figures.tell("power", "cuts", "2")
    assert figures.read(file) == [Figure("power", "cuts", "2")]


def test_the_projects_page_has_its_place() -> None:
    page = (Path(__file__).parents[2] / "docs" / "appliance.md").read_text("utf-8")
    assert figures.merged(page, []) == page
