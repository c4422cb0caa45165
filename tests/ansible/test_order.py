"""In which order site.yml goes through a fleet."""

from __future__ import annotations

import yaml

from tests.support.roles import ANSIBLE


def test_the_cloud_is_newer_than_its_venues_at_every_moment_of_a_run() -> None:
    """It refuses what it does not know; and a play that reaches no host ends the run, so venues that are off must not come before it."""
    plays = yaml.safe_load((ANSIBLE / "site.yml").read_text(encoding="utf-8"))
    assert [each["hosts"] for each in plays] == ["cloud", "venues"]
