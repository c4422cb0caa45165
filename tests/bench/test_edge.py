"""The benchmarks of the edge run on today's code, and what they count is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import edge, orders


def test_one_client_flushes_twice_per_order_and_many_share(tmp_path: Path) -> None:
    """A hold and an order are one flush each where nobody else writes; eight clients share most of theirs."""
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
    assert orders.flushes_per_order(tmp_path / "one", 1, 3) == 2
    assert orders.flushes_per_order(tmp_path / "many", 8, 80) <= 1


def test_a_slow_card_is_slow_and_sharing_its_flushes_pays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios of a short run with few clients: only their order is certain."""
    monkeypatch.setattr(edge, "CLIENTS", 8)

    def new(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    card = edge.on_a_card(new, 0.5)
    assert card.flushes < 1
    assert card.shared > card.one_per_step
    assert card.one_per_step <= 1 / (2 * edge.CARD_FLUSH_S)
