from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.domain.certificates import Certificate, earliest_ms, objection
from appliance.domain.clock import DAY_MS, Now

MADE_MS = 1_800_000_000_000
GOOD = Certificate(MADE_MS, MADE_MS + 90 * DAY_MS, ("v7.example.org", "*.town.example"))
NOW = Now(wall_ms=MADE_MS + DAY_MS, boot_ms=1, boot_id="b", trusted=True)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("v7.example.org", ""),
        ("V7.Example.org", ""),
        ("hall.town.example", ""),
        ("town.example", "it is not for town.example"),
        ("a.b.town.example", "it is not for a.b.town.example"),
        ("example.org", "it is not for example.org"),
    ],
)
def test_a_certificate_is_for_its_names_and_a_star_for_one_label(host: str, why: str) -> None:
    assert objection(GOOD, host, NOW.wall_ms) == why


def test_a_certificate_is_good_from_its_first_moment_to_its_last() -> None:
    assert objection(GOOD, "v7.example.org", GOOD.not_before_ms - 1) == "it is not valid yet"
    assert objection(GOOD, "v7.example.org", GOOD.not_before_ms) == ""
    assert objection(GOOD, "v7.example.org", GOOD.not_after_ms - 1) == ""
    assert objection(GOOD, "v7.example.org", GOOD.not_after_ms) == "it has expired"
    assert objection(replace(GOOD, self_signed=True), "v7.example.org", NOW.wall_ms) == "it vouches for itself"


@pytest.mark.parametrize("wrong_ms", [0, MADE_MS + 500 * DAY_MS])
def test_a_clock_that_is_not_trusted_neither_ends_a_certificate_nor_keeps_it_alive(wrong_ms: int) -> None:
    lost = replace(NOW, wall_ms=wrong_ms, trusted=False)
    assert objection(GOOD, "v7.example.org", earliest_ms(lost, 0, 0, GOOD.not_before_ms)) == ""
    seen_after = GOOD.not_after_ms + 1
    assert objection(GOOD, "v7.example.org", earliest_ms(lost, 0, seen_after, GOOD.not_before_ms)) == "it has expired"
    assert objection(GOOD, "v7.example.org", earliest_ms(lost, seen_after, 0, GOOD.not_before_ms)) == "it has expired"


def test_a_trusted_clock_is_believed_over_everything_older() -> None:
    assert earliest_ms(NOW, NOW.wall_ms + 5, NOW.wall_ms + 7, 0) == NOW.wall_ms
