"""Slots as files: what RAUC's calls leave on the disk, and what an interrupted call leaves."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cli import main, parser
from appliance.domain.slots import ATTEMPTS, UNJUDGED, Ledger, Slot, autoboot, other
from appliance.errands import slot as errand
from appliance.settings import Settings
from appliance.slots import Keeper, NoSlots, OnTrial, Paths, files
from tests.support.slots import Machine
from tests.system.board import bootrom


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_update_is_tried_once_and_kept_when_it_is_good(machine: Machine) -> None:
    keeper = machine.keeper
    keeper.set_state("B", "bad")
    keeper.set_primary("B")
    assert (keeper.primary(), machine.default) == ("B", "A")
    assert machine.paths.reboot_parameter.read_text() == machine.paths.trial.read_text() == "0 tryboot"
    machine.boot(3, tryboot=True)
    assert keeper.attempt() is False
    assert (keeper.status().trial, keeper.primary(), keeper.state("B")) == (True, "A", "bad")
    keeper.set_state("B", "good")
    assert (machine.default, keeper.state("B"), keeper.primary()) == ("B", "good", "B")


def test_a_good_boot_marks_the_slot_that_runs_and_no_other(machine: Machine) -> None:
    machine.keeper.set_state("B", "bad")
    machine.keeper.set_good()
    assert (machine.default, machine.keeper.state("A"), machine.keeper.state("B")) == ("A", "good", "bad")
    machine.boot(3, tryboot=True)
    machine.keeper.set_good()
    assert (machine.default, machine.keeper.state("B")) == ("B", "good")


def test_nothing_is_marked_good_where_the_firmware_is_silent(machine: Machine) -> None:
    machine.keeper.set_state("B", "bad")
    (machine.paths.firmware / "partition").unlink()
    with pytest.raises(NoSlots, match="firmware"):
        machine.keeper.set_good()
    assert (machine.default, machine.keeper.state("B")) == ("A", "bad")


def test_where_the_firmware_is_silent_good_boots_end_the_count_and_bad_ones_end_at_the_limit(machine: Machine) -> None:
    (machine.paths.firmware / "partition").unlink()
    for _ in range(2 * UNJUDGED):
        assert machine.keeper.attempt() is False
        with pytest.raises(NoSlots):
            machine.keeper.set_good()
    verdicts = []
    for _ in range(ATTEMPTS + 2):
        assert machine.keeper.attempt() is False
        verdicts.append(machine.keeper.unhealthy())
    assert verdicts == [True] * (ATTEMPTS - 1) + [False] * 3
    assert machine.default == "A"


def test_a_trial_that_resets_is_back_in_the_old_slot_with_nothing_to_undo(machine: Machine) -> None:
    machine.keeper.set_primary("B")
    machine.boot(3, tryboot=True)
    assert machine.keeper.unhealthy() is True
    machine.boot(2)
    assert (machine.default, machine.keeper.state("B"), machine.keeper.status().running) == ("A", "bad", "A")


def test_choosing_the_default_again_takes_the_asking_back(machine: Machine) -> None:
    machine.keeper.set_primary("B")
    machine.keeper.set_primary("A")
    assert not machine.paths.trial.exists()
    assert not machine.paths.reboot_parameter.exists()


def test_an_install_that_dies_leaves_no_trial_of_what_it_began_to_overwrite(machine: Machine) -> None:
    """One bundle was installed and asked for; the next install marks its slot bad, and gets no further."""
    machine.keeper.set_state("B", "bad")
    machine.keeper.set_primary("B")
    machine.keeper.set_state("B", "bad")
    assert (machine.keeper.primary(), machine.keeper.state("B")) == ("A", "bad")
    assert not machine.paths.trial.exists()
    assert not machine.paths.reboot_parameter.exists()
    machine.paths.reboot_parameter.write_text("bootloader")
    machine.keeper.set_state("B", "bad")
    assert machine.paths.reboot_parameter.read_text() == "bootloader"


def test_a_default_that_is_called_bad_leaves_what_is_asked_for_alone(machine: Machine) -> None:
    machine.keeper.set_primary("B")
    machine.keeper.set_state("A", "bad")
    assert (machine.default, machine.keeper.primary()) == ("A", "B")


def test_somebody_elses_parameter_of_a_reboot_stays(machine: Machine) -> None:
    machine.paths.reboot_parameter.parent.mkdir(parents=True)
    machine.paths.reboot_parameter.write_text("bootloader")
    machine.keeper.set_primary("A")
    assert machine.paths.reboot_parameter.read_text() == "bootloader"


@pytest.mark.parametrize("tryboot", [True, False])
def test_the_only_slot_that_is_proven_is_not_given_to_an_install_while_another_runs(
    machine: Machine, capsys: pytest.CaptureFixture[str], tryboot: bool
) -> None:
    """RAUC marks what it is about to overwrite, and goes no further where that is refused."""
    machine.keeper.set_primary("B")
    machine.boot(3, tryboot=tryboot)
    machine.keeper.attempt()
    words = parser().parse_args(["slot", "set-state", "A", "bad"])
    assert errand.run(words, Settings(), machine.keeper) == 1
    assert "this slot is on trial; wait until it is marked good" in capsys.readouterr().err
    assert (machine.default, machine.keeper.state("A")) == ("A", "good")
    machine.keeper.set_state("B", "bad")
    machine.keeper.set_good()
    assert errand.run(words, Settings(), machine.keeper) == 0
    assert (machine.default, machine.keeper.state("A")) == ("B", "bad")


def test_a_device_that_stays_up_in_the_slot_that_the_rom_fell_back_to_takes_an_install(machine: Machine) -> None:
    """The default cannot be booted, and this one is not found good: only a new bundle leads out."""
    refused = []
    for _ in range(ATTEMPTS):
        machine.boot(3)
        machine.keeper.attempt()
        with contextlib.suppress(OnTrial):
            machine.keeper.set_state("A", "bad")
        refused.append(machine.keeper.state("A") == "good")
        machine.keeper.unhealthy()
    machine.keeper.set_state("A", "bad")
    assert (refused, machine.keeper.state("A"), machine.default) == ([True] * ATTEMPTS, "bad", "A")


def test_the_default_is_given_up_after_three_unhealthy_boots(machine: Machine) -> None:
    machine.keeper.set_state("B", "good")
    for _ in range(2):
        assert machine.keeper.attempt() is False
        assert machine.keeper.unhealthy() is True
        assert machine.default == "A"
    machine.keeper.attempt()
    assert machine.keeper.unhealthy() is True
    assert (machine.default, machine.keeper.state("A"), machine.keeper.status().attempts) == ("B", "bad", 0)


@pytest.mark.fault(30)
def test_plugs_that_are_pulled_before_a_boot_was_judged_do_not_cost_a_good_slot(machine: Machine) -> None:
    machine.keeper.set_state("B", "good")
    assert [machine.keeper.attempt() for _ in range(UNJUDGED)] == [False] * UNJUDGED
    assert machine.keeper.unhealthy() is True
    assert (machine.default, machine.keeper.state("A")) == ("A", "good")
    machine.keeper.set_good()
    assert (machine.keeper.status().attempts, machine.keeper.status().unhealthy) == (0, 0)


@pytest.mark.fault(30)
def test_a_slot_that_never_gets_as_far_as_the_gate_is_given_up_after_many_boots(machine: Machine) -> None:
    machine.keeper.set_state("B", "good")
    assert [machine.keeper.attempt() for _ in range(UNJUDGED + 1)] == [False] * UNJUDGED + [True]
    assert machine.default == "B"


def test_a_ledger_of_before_is_read(machine: Machine) -> None:
    machine.paths.ledger.parent.mkdir(parents=True)
    machine.paths.ledger.write_text('{"states":{"A":"good","B":"good"},"attempts":2}')
    found = files.read_ledger(machine.paths.ledger)
    assert (found, found.heads) == (Ledger({"A": "good", "B": "good"}, 2), {})


def programs(machine: Machine, floor: int) -> dict[Slot, Keeper]:
    """The program of each slot, B's far newer, and a database for programs from ``floor`` on."""
    machine.paths.database.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(machine.paths.database)) as db:
        db.execute(f"PRAGMA user_version = {floor}")
    return {"A": Keeper(machine.paths, 22), "B": Keeper(machine.paths, 30)}


def test_an_update_without_a_way_back_is_not_given_up_for_a_program_that_ends_at_the_database(machine: Machine) -> None:
    program = programs(machine, 30)
    program["A"].set_good()
    program["A"].set_primary("B")
    machine.boot(3, tryboot=True)
    program["B"].attempt()
    program["B"].set_good()
    assert machine.default == "B"
    verdicts = []
    for _ in range(ATTEMPTS + 1):
        machine.boot(3)
        assert program["B"].attempt() is False
        verdicts.append(program["B"].unhealthy())
    assert verdicts == [True] * (ATTEMPTS - 1) + [False] * 2
    shown = program["B"].shown()
    assert (machine.default, shown.too_old, shown.alone) == ("B", ("A",), True)
    assert "slot A: good, too old for the database" in shown.words()


def test_a_trial_that_was_taken_back_after_it_had_brought_the_database_too_far_is_taken_again(machine: Machine) -> None:
    program = programs(machine, 30)
    program["A"].set_state("B", "bad")
    program["A"].set_primary("B")
    machine.boot(3, tryboot=True)
    assert (program["B"].attempt(), program["B"].unhealthy()) == (False, True)
    machine.boot(2)
    assert program["A"].attempt() is True
    assert machine.default == "B"
    machine.boot(3)
    assert program["B"].attempt() is False
    program["B"].set_good()
    assert (machine.default, program["B"].state("A")) == ("B", "bad")


def test_a_slot_that_was_half_written_is_not_taken_though_the_other_ends_at_the_database(machine: Machine) -> None:
    program = programs(machine, 30)
    machine.boot(3)
    program["B"].attempt()
    machine.boot(2)
    program["A"].set_state("B", "bad")
    assert program["A"].attempt() is False
    assert machine.default == "A"


def test_a_database_that_says_nothing_leaves_all_as_it_was(machine: Machine) -> None:
    path = machine.paths.database
    assert files.read_floor(path) == 0
    path.parent.mkdir(parents=True)
    for header in (b"", b"SQLite format 3\0" + bytes(40), b"\xff" * 4096):
        path.write_bytes(header)
        assert files.read_floor(path) == 0
    path.unlink()
    path.mkdir()
    assert files.read_floor(path) == 0


def test_what_stands_in_the_place_of_a_database_is_neither_followed_nor_waited_for(machine: Machine) -> None:
    path = machine.paths.database
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert files.read_floor(path) == 0
    path.unlink()
    real = path.with_name("real.db")
    real.write_bytes(b"SQLite format 3\0" + bytes(44) + (31).to_bytes(4, "big"))
    assert files.read_floor(real) == 31
    path.symlink_to(real)
    assert files.read_floor(path) == 0


@pytest.mark.fault(31)
def test_a_default_that_breaks_before_its_system_boots_again_until_two_digits_are_exchanged_by_hand(
    machine: Machine,
) -> None:
    """Nothing of ours runs that could count; docs/operations.md has an operator edit the file on another computer."""
    machine.keeper.set_state("B", "good")
    text = machine.paths.autoboot.read_text("ascii")
    assert [bootrom.choose_partition(text, tryboot=False) for _ in range(20)] == [2] * 20
    by_hand = text.translate(str.maketrans("23", "32"))
    assert sum(old != new for old, new in zip(text, by_hand, strict=True)) == 2
    machine.paths.autoboot.write_text(by_hand, "ascii")
    machine.boot(bootrom.choose_partition(by_hand, tryboot=False))
    assert machine.keeper.attempt() is False
    machine.keeper.set_good()
    found = machine.keeper.status()
    assert (found.running, found.default, found.next) == ("B", "B", "B")
    assert machine.paths.autoboot.read_bytes() == autoboot("B")


def test_a_good_boot_ends_the_count(machine: Machine) -> None:
    for _ in range(6):
        assert machine.keeper.attempt() is False
        machine.keeper.set_state("A", "good")
    assert machine.keeper.status().attempts == 0


def test_the_file_is_overwritten_in_place(machine: Machine) -> None:
    before = machine.paths.autoboot.stat()
    machine.boot(3, tryboot=True)
    machine.keeper.set_state("B", "good")
    after = machine.paths.autoboot.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)


@pytest.mark.parametrize("damage", [b"", b"\xff" * 512, autoboot("A")[:40]])
def test_a_damaged_file_is_read_as_what_booted_and_mended_at_the_next_write(machine: Machine, damage: bytes) -> None:
    machine.paths.autoboot.write_bytes(damage)
    machine.boot(3)
    assert machine.keeper.status().default == "B"
    machine.keeper.set_primary("A")
    assert machine.paths.autoboot.read_bytes() == autoboot("B")
    assert machine.keeper.primary() == "A"


def test_a_damaged_ledger_is_that_of_a_new_device(machine: Machine) -> None:
    machine.keeper.set_state("B", "good")
    for text in (b"", b"{", b'{"states": {"A": "good"}, "attempts": 1}', b'{"attempts": "x"}', b"\0" * 60):
        machine.paths.ledger.write_bytes(text)
        assert files.read_ledger(machine.paths.ledger) == Ledger()


def test_the_status_is_shown_to_who_may_not_read_the_rest(machine: Machine) -> None:
    machine.keeper.attempt()
    shown = json.loads(machine.paths.shown.read_bytes())
    assert (shown["running"], shown["default"], shown["attempts"]) == ("A", "A", 1)
    assert machine.paths.shown.stat().st_mode & 0o777 == 0o644


def test_a_machine_without_the_file_says_that_it_has_no_slots(tmp_path: Path) -> None:
    with pytest.raises(NoSlots):
        Keeper(Paths(tmp_path)).status()


class Cut(Exception):
    """The power went."""


@contextlib.contextmanager
def cut_after(writes: int) -> Iterator[None]:
    """Take the power once so many of the two files that outlive it were written."""
    left = iter(range(writes))

    def unless_dark(write: Callable[..., None]) -> Callable[..., None]:
        def done(*given: object) -> None:
            if next(left, None) is None:
                raise Cut
            write(*given)

        return done

    with (
        patch.object(files, "write_default", unless_dark(files.write_default)),
        patch.object(files, "write_ledger", unless_dark(files.write_ledger)),
    ):
        yield


UNCUT = 99


def boot_once(machine: Machine, *, hangs: bool) -> None:
    """A, where it boots, hangs or is judged unhealthy; B comes up well."""
    slot = machine.default
    machine.boot(3 if slot == "B" else 2)
    if machine.keeper.attempt():
        return
    if slot == "B":
        machine.keeper.set_good()
    elif not hangs:
        machine.keeper.unhealthy()


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("dark", [1, 2, 3, UNJUDGED, UNJUDGED + 1])
def test_wherever_the_giving_up_of_a_slot_is_cut_off_the_device_ends_in_the_good_one(
    machine: Machine, dark: int, writes: int, hangs: bool
) -> None:
    machine.keeper.set_state("B", "good")
    with patch("os.fsync"):
        for boot in range(30):
            with contextlib.suppress(Cut), cut_after(writes if boot == dark else UNCUT):
                boot_once(machine, hangs=hangs)
    assert (machine.default, machine.keeper.state("B")) == ("B", "good")


STEPS = st.tuples(
    st.sampled_from(["install", "reboot", "good", "unhealthy", "attempt"]), st.sampled_from([0, 1, 2, UNCUT])
)


@given(steps=st.lists(STEPS, max_size=25))
def test_whatever_happens_and_wherever_it_is_cut_off_the_default_was_good_once(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    with patch("os.fsync"):
        _follow(machine, steps)


def _follow(machine: Machine, steps: list[tuple[str, int]]) -> None:
    keeper, trial = machine.keeper, False
    running: Slot = "A"
    proven: set[Slot] = {"A"}
    for step, writes in steps:
        again, dark = False, False
        if step == "good":
            proven.add(running)
        try:
            with cut_after(writes):
                if step == "install":
                    keeper.set_state(other(running), "bad")
                    proven.discard(other(running))
                    keeper.set_primary(other(running))
                elif step == "good":
                    keeper.set_state(running, "good")
                elif step == "unhealthy":
                    again = keeper.unhealthy()
                elif step == "attempt":
                    again = keeper.attempt()
        except Cut:
            dark = True
        except OnTrial:
            assert running != machine.default
        if step == "reboot" or again or dark:
            trial = not dark and machine.paths.trial.exists()
            default = machine.default
            assert default is not None
            running = other(default) if trial else default
            machine.boot(3 if running == "B" else 2, tryboot=trial)
        assert machine.default in proven


def test_the_command_speaks_as_rauc_expects(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*words: str) -> tuple[int, str]:
        status = errand.run(parser().parse_args(["slot", *words]), Settings(), machine.keeper)
        return status, capsys.readouterr().out

    assert say("get-primary") == (0, "A\n")
    assert say("get-state", "B") == (0, "bad\n")
    assert say("set-state", "B", "good") == (0, "")
    assert say("get-state", "B") == (0, "good\n")
    assert say("set-primary", "B") == (0, "")
    assert say("get-primary") == (0, "B\n")
    assert say("get-current") == (0, "A\n")
    assert say("good") == (0, "")
    assert say()[1].startswith("slot A runs; slot A boots by default, slot B at the next reboot\n")
    assert json.loads(say("status", "--json")[1])["next"] == "B"
    assert say("set-primary", "C")[0] == say("set-state", "A", "fine")[0] == say("get-state")[0] == 2


def test_a_machine_without_slots_is_told_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slot"]) == 2
    assert "has no slots" in capsys.readouterr().err


def test_what_can_never_be_marked_ends_otherwise_than_what_may_be_marked_later(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the two the unit knows whether to try again."""
    words = parser().parse_args(["slot", "good"])
    machine.boot(3, tryboot=True)
    with patch.object(
        files, "write_default", side_effect=OSError(errno.EROFS, "Read-only file system", "autoboot.txt")
    ):
        assert errand.run(words, Settings(), machine.keeper) == 1
    assert "Read-only file system: 'autoboot.txt'" in capsys.readouterr().err
    (machine.paths.firmware / "partition").unlink()
    assert errand.run(words, Settings(), machine.keeper) == 2
    assert "the firmware does not say which slot runs" in capsys.readouterr().err
