"""Orders that were answered survive kill -9 of everything, again and again, under load."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.flows import storm

CYCLES, FEW = 50, 6


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(600)
@pytest.mark.fault(3, 12, 14)
def test_no_answered_order_is_lost_over_many_kills(tmp_path: Path) -> None:
    """Portals, workers, desks, bridges, reconcilers and the broker are killed at random; PostgreSQL and Mosquitto are real."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    storm.run(tmp_path, CYCLES, seed, server=True)


@pytest.mark.system
def test_the_storm_works_with_sqlite_too(tmp_path: Path) -> None:
    """Some cycles of it, so that the long run never fails for a reason of its own."""
    storm.run(tmp_path, FEW, 7, server=False)
