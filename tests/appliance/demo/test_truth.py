"""The demo's auditor sees an oversell and a lost ticket, and nothing where nothing is wrong."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from appliance.demo import truth
from appliance.demo.truth import Auditor


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the files say: change it between looks."""
    said = SimpleNamespace(issued=3, known=3, unsynced=0, untold=0, pool=4, frozen="", now_s=0.0)
    quota = SimpleNamespace(id="q", event=None, name="room", capacity=10, frozen="")

    def overview(_db: object, _wall_ms: int) -> SimpleNamespace:
        quota.sold, quota.pool = said.known, said.pool
        return SimpleNamespace(quotas=[quota], frozen=said.frozen, waiting={"hall-1": said.untold})

    monkeypatch.setattr(truth, "overview", overview)
    return said


@pytest.fixture
def auditor(files: SimpleNamespace) -> Auditor:
    class Open:
        def read(self) -> Open:
            return self

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    box = SimpleNamespace(look=lambda _query: ({"q": files.issued}, files.unsynced))
    return Auditor([SimpleNamespace(box=box)], Open(), lambda: files.now_s)  # type: ignore[arg-type, list-item]


def look(auditor: Auditor, files: SimpleNamespace, after_s: float) -> tuple[str, ...]:
    files.now_s += after_s
    return auditor.look().wrong


def test_equal_figures_are_never_wrong(auditor: Auditor, files: SimpleNamespace) -> None:
    assert [look(auditor, files, 20) for _ in range(3)] == [(), (), ()]


def test_more_tickets_than_there_are_is_wrong_at_once_and_stays_on_record(
    auditor: Auditor, files: SimpleNamespace
) -> None:
    files.issued = 11
    assert look(auditor, files, 2) == ("q, room: 11 tickets issued of 10",)
    files.issued = files.known = 10
    assert len(look(auditor, files, 2)) == 1


def test_a_difference_is_wrong_only_when_nothing_is_under_way_for_some_time(
    auditor: Auditor, files: SimpleNamespace
) -> None:
    files.issued, files.unsynced = 4, 1
    assert look(auditor, files, 60) == ()
    files.unsynced, files.untold = 0, 1
    assert look(auditor, files, 60) == ()
    files.untold = 0
    assert look(auditor, files, 2) == ()
    (words,) = look(auditor, files, 20)
    assert "4 tickets issued, the cloud knows 3" in words


def test_a_negative_pool_and_a_freeze_are_wrong(auditor: Auditor, files: SimpleNamespace) -> None:
    files.pool, files.frozen = -1, "restored"
    assert look(auditor, files, 2) == ("q, room: the pool is -1", "frozen: restored")
