"""What the desk said of a device counts for this boot and a minute, whatever the wall clock does."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from appliance.domain.hardware import SILENT_DESK_MS, is_silent, seen_ms
from appliance.services import door, hardware, photos, sms, sync
from tests.support.box import TestBox

NAMES = ("camera", "modem", "printer")


def say(box: TestBox) -> None:
    for name in NAMES:
        box.run(partial(hardware.report, name=name, state="ready", reason="", since_ms=0))


def believed(box: TestBox) -> set[bool]:
    """Each answer of who looks whether the desk's word is of now."""
    silent = {each.silent for each in box.look(door.door_view).hardware}
    return {box.look(photos.offered), box.look(sms.offered), *(not each for each in silent)}


def test_the_desk_of_the_boot_before_says_nothing_of_this_one(box: TestBox) -> None:
    """Without a time server the clock of a boot begins before the last word of the boot before."""
    say(box)
    assert believed(box) == {True}
    box.turn.reboot()
    box.turn.now = replace(box.turn.now, wall_ms=box.turn.now.wall_ms - 30_000)
    assert believed(box) == {False}
    say(box)
    assert believed(box) == {True}


@pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000])
def test_a_clock_that_jumps_makes_no_desk_silent_and_none_speak(box: TestBox, jump_ms: int) -> None:
    say(box)
    box.turn.now = replace(box.turn.now, wall_ms=box.turn.now.wall_ms + jump_ms)
    assert believed(box) == {True}
    box.turn.advance(SILENT_DESK_MS + 1)
    assert believed(box) == {False}


def test_the_cloud_is_told_when_the_desk_last_spoke_by_the_clock_of_now(box: TestBox) -> None:
    say(box)
    box.turn.advance(20_000)
    box.turn.now = replace(box.turn.now, wall_ms=box.turn.now.wall_ms + 3_600_000)
    report = box.look(sync.hardware)
    assert report is not None
    assert report.sent_at_ms - report.as_of_ms == 20_000
    box.turn.reboot()
    box.turn.now = replace(box.turn.now, wall_ms=box.turn.now.wall_ms - 7_200_000)
    box.turn.advance(SILENT_DESK_MS)
    report = box.look(sync.hardware)
    assert report is not None
    assert report.sent_at_ms - report.as_of_ms > SILENT_DESK_MS


def test_a_row_that_an_older_program_wrote_is_of_no_boot(box: TestBox) -> None:
    now = box.turn.now
    assert is_silent(now, "", 0)
    assert seen_ms(now, now.wall_ms, "", 0) == now.wall_ms - now.boot_ms
