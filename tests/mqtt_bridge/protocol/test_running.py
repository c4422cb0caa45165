"""What runs on a device travels as a piece of hardware, which a cloud of before shows in words and this one reads."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.protocol.messages import HardwareReport, HardwareState
from mqtt_bridge.protocol.running import NAME, Running, piece_of, running_of

VERSIONS = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,20}", fullmatch=True)
MARKS = st.dictionaries(st.sampled_from("AB"), st.sampled_from(["good", "bad", "too old"]))


def report(*pieces: HardwareState) -> HardwareReport:
    return HardwareReport("hall-1", "hall", pieces, 1, 1)


@given(
    st.builds(
        Running,
        program=VERSIONS | st.just(""),
        image=VERSIONS | st.just(""),
        slot=st.sampled_from(["", "A", "B"]),
        marks=MARKS,
        went_back=st.none() | st.just("") | VERSIONS,
        since_ms=st.integers(0, 2**40),
    ),
    st.booleans(),
)
def test_what_is_told_is_read(running: Running, trial: bool) -> None:
    told = msgspec.structs.replace(piece_of(running), since_ms=running.since_ms)
    assert running_of(report(HardwareState("printer", "ready", "", 1), told)) == running
    if running.slot:
        on_trial = Running(slot=running.slot, trial=trial)
        assert running_of(report(piece_of(on_trial))) == on_trial


def test_a_cloud_of_before_takes_it_and_shows_it_in_words() -> None:
    """It refuses a field that it does not know; these are the fields that it knows."""
    assert HardwareReport.__struct_fields__ == ("device", "venue", "hardware", "as_of_ms", "sent_at_ms")
    assert HardwareState.__struct_fields__ == ("name", "state", "reason", "since_ms")
    piece = piece_of(Running("0.1.0", "2026.12", "A", marks={"A": "good", "B": "bad"}, went_back="2027.1"))
    assert (piece.state, piece.name) == ("fault", NAME)
    assert piece.reason == "image 2026.12; program 0.1.0; slot A; A good; B bad; went back from 2027.1"


@given(st.text(max_size=80))
def test_whatever_stands_there_is_skipped_or_harmless(text: str) -> None:
    """A device may say anything, and a later one says more."""
    found = running_of(report(HardwareState(NAME, "ready", text, 0)))
    assert found is not None
    assert set(found.marks.values()) <= {"good", "bad", "too old"}
    said = f"image 9; {text}; slot B" if "; " not in text else "image 9; slot B"
    again = running_of(report(HardwareState(NAME, "ready", said, 0)))
    assert again is not None
    assert again.slot == "B"


@pytest.mark.parametrize("version", ["", "1; went back", "a b", "x" * 65, "\n"])
def test_a_version_that_is_none_says_nothing_else(version: str) -> None:
    piece = piece_of(Running(program=version, image=version, slot="A", went_back=version))
    assert piece.reason == "slot A; went back"
    assert not re.search(r"image|program", piece.reason)


def test_a_report_of_before_says_nothing_of_it() -> None:
    assert running_of(report(HardwareState("printer", "ready", "", 1))) is None
    assert running_of(None) is None
