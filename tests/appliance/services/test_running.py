"""What runs here, and what did not stay, over boots and updates as the keeper of the slots itself shows them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from appliance.domain.clock import Now
from appliance.domain.slots import PARTITIONS, Slot, autoboot
from appliance.services import sync
from appliance.services.running import FILE, RunningWatch
from appliance.slots import Keeper, Paths
from mqtt_bridge.protocol.messages import HardwareReport
from mqtt_bridge.protocol.running import Running, running_of
from tests.support.box import TestBox


@dataclass
class Board:
    """A board whose bridge looks; ``images`` are the versions in its slots."""

    root: Path
    images: dict[Slot, str]
    boots: int = 0

    def boot(self, slot: Slot, *, trial: bool = False) -> Keeper:
        """The bridge of a boot before is gone, and so is what lay in memory."""
        self.boots += 1
        paths = Paths(self.root)
        for path in (paths.shown, paths.trial, paths.reboot_parameter):
            path.unlink(missing_ok=True)
        for name, value in (("partition", PARTITIONS[slot]), ("tryboot", int(trial))):
            (paths.firmware / name).write_bytes(struct.pack(">I", value))
        (self.root / "os-release").write_text(f'ID=debian\nIMAGE_VERSION="{self.images[slot]}"\n', "utf-8")
        keeper = Keeper(paths)
        keeper.attempt()
        self.watch = RunningWatch(self.root, keeper.shown, "0.1.0", self.root / "os-release")
        return keeper

    def look(self) -> Running:
        now = Now(self.boots * 1000, 1, f"boot-{self.boots}", trusted=True)
        found = running_of(HardwareReport("d", "v", (self.watch.look(now),), 1, 1))
        assert found is not None
        return found

    def install(self, keeper: Keeper, slot: Slot, version: str) -> None:
        """As RAUC does it; the bridge looks meanwhile."""
        keeper.set_state(slot, "bad")
        self.images[slot] = version
        keeper.set_primary(slot)
        self.look()


@pytest.fixture
def board(tmp_path: Path) -> Board:
    paths = Paths(tmp_path)
    paths.firmware.mkdir(parents=True)
    paths.autoboot.parent.mkdir(parents=True)
    paths.autoboot.write_bytes(autoboot("A"))
    return Board(tmp_path, {"A": "1.0", "B": ""})


def test_a_new_card_says_its_image_and_that_it_has_one_slot(board: Board) -> None:
    board.boot("A").set_good()
    assert board.look() == Running("0.1.0", "1.0", "A", marks={"A": "good", "B": "bad"}, since_ms=1000)
    assert board.look().alone


def test_an_update_is_on_trial_and_stays(board: Board) -> None:
    board.install(board.boot("A"), "B", "2.0")
    keeper = board.boot("B", trial=True)
    assert (board.look().trial, board.look().image) == (True, "2.0")
    keeper.set_good()
    found = board.look()
    assert (found.slot, found.trial, found.went_back, found.alone) == ("B", False, None, False)
    board.boot("B")
    assert board.look().went_back is None


@pytest.mark.parametrize(("ran", "known"), [(True, "2.0"), (False, "")])
def test_a_trial_that_does_not_stay_is_told_until_the_next_update(board: Board, ran: bool, known: str) -> None:
    """Also where it never got as far as a bridge; the boots after it say it too, from the same moment on."""
    board.install(board.boot("A"), "B", "2.0")
    if ran:
        board.boot("B", trial=True)
        board.look()
    board.boot("A")
    first = board.look()
    assert (first.image, first.slot, first.went_back) == ("1.0", "A", known)
    keeper = board.boot("A")
    assert board.look() == first
    board.install(keeper, "B", "3.0")
    assert board.look().went_back is None
    board.boot("B", trial=True).set_good()
    assert (board.look().image, board.look().went_back) == ("3.0", None)


def test_a_slot_that_is_given_up_later_is_told_by_its_version(board: Board) -> None:
    board.install(board.boot("A"), "B", "2.0")
    board.boot("B", trial=True).set_good()
    board.look()
    keeper = board.boot("B")
    board.look()
    keeper.set_state("B", "bad")
    board.boot("A")
    assert (board.look().image, board.look().went_back) == ("1.0", "2.0")


def test_a_slot_whose_program_is_too_old_for_the_database_is_no_way_back(board: Board) -> None:
    keeper = board.boot("A")
    keeper.set_good()
    keeper.set_state("B", "good")
    assert not board.look().alone
    shown = keeper.shown()
    old = msgspec.structs.replace(shown, too_old=("B",))
    board.watch = RunningWatch(board.root, lambda: old, "0.1.0", board.root / "os-release")
    assert board.look().marks == {"A": "good", "B": "too old"}
    assert board.look().alone


def test_an_update_that_is_called_off_went_nowhere(board: Board) -> None:
    keeper = board.boot("A")
    board.install(keeper, "B", "2.0")
    keeper.set_primary("A")
    assert board.look().went_back is None
    board.boot("A")
    assert board.look().went_back is None


def test_a_host_without_slots_says_its_program_and_a_torn_memory_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"{")
    watch = RunningWatch(tmp_path, Keeper(Paths(tmp_path)).shown, "0.1.0", tmp_path / "os-release")
    piece = watch.look(Now(5, 1, "b", trusted=True))
    assert (piece.reason, piece.state, piece.since_ms) == ("program 0.1.0", "ready", 5)


def test_it_is_told_beside_the_hardware_and_without_any(box: TestBox, board: Board) -> None:
    assert box.look(sync.hardware) is None
    board.boot("A")
    object.__setattr__(box, "system", board.watch.look)
    told = box.look(sync.hardware)
    assert told is not None
    assert [each.name for each in told.hardware] == ["system"]
    assert told.as_of_ms == told.sent_at_ms
