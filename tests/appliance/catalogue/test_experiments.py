"""Experiments in the catalogue file: registered in full before anybody sees a variant, or refused with every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.appliance.catalogue.test_reader import GOOD, problems, read

ASKED = (
    GOOD
    + """\
experiments:
  - key: words
    event: night
    hypothesis: A short title is held more often.
    metric: held
    sample: 200
    starts_at: 2026-12-01 10:00
    until: 2026-12-04 20:00
    variants:
      - {name: as-is}
      - {name: short, title: Night, image: short.png, image_alt: A moon}
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 40), "navy").save(tmp_path / "short.png")
    return tmp_path


def test_a_question_is_read_with_its_figure_its_end_and_its_pictures(folder: Path):
    result = read(folder, ASKED)
    (asked,) = result.catalogue.experiments
    assert (asked.key, asked.event, asked.metric, asked.sample) == ("words", "night", "held", 200)
    assert asked.until_ms - asked.starts_at_ms == (3 * 24 + 10) * 3_600_000
    first, second = asked.variants
    assert (first.title, first.image, second.title, second.image_alt) == (None, None, "Night", "A moon")
    assert second.image in {each.sha256 for each in result.assets} & result.catalogue.images


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("metric: held", "metric: seen"), "experiments[0].metric: 'seen' is not counted; write one of held, confirmed, admitted"),
        (("sample: 200", "sample: 3"), "experiments[0].sample"),
        (("event: night\n    hyp", "event: noon\n    hyp"), "'noon' is not the slug of an event"),
        (("until: 2026-12-04", "until: 2026-11-04"), "must be after starts_at"),
        (("      - {name: as-is}\n", ""), "are 1; compare two to 3"),
        (("name: short,", "name: as-is,"), "'as-is' is the name of another variant above"),
        (("image: short.png", "image: long.png"), "cannot be read"),
        (("    hypothesis: A short title is held more often.\n", ""), "experiments[0].hypothesis: is missing"),
    ],
)  # fmt: skip
def test_what_is_not_registered_in_full_is_refused(folder: Path, wrong: tuple[str, str], said: str):
    old, new = wrong
    assert old in ASKED
    assert any(said in each for each in problems(folder, ASKED.replace(old, new))), problems(
        folder, ASKED.replace(old, new)
    )


def test_one_event_answers_one_question_at_a_time(folder: Path):
    twice = ASKED + ASKED[ASKED.index("  - key: words") :].replace("words", "again")
    assert any("'words' runs on this event at the same time" in each for each in problems(folder, twice))
    later = twice.replace("until: 2026-12-04 20:00", "until: 2026-12-02 20:00", 1)
    first, _, second = later.rpartition("starts_at: 2026-12-01 10:00")
    assert len(read(folder, f"{first}starts_at: 2026-12-02 20:00{second}").catalogue.experiments) == 2
