from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import slots
from appliance.domain.slots import Booted, Decision, Ledger, Slot
from tests.system.board import bootrom

SLOT = st.sampled_from(slots.SLOTS)
BOTH_GOOD: dict[Slot, slots.State] = {"A": "good", "B": "good"}


@pytest.mark.parametrize("slot", slots.SLOTS)
def test_the_rom_boots_what_the_text_says_and_tries_the_other(slot: Slot) -> None:
    text = slots.autoboot(slot)
    assert len(text) <= slots.AUTOBOOT_BYTES
    assert slots.default_of(text) == slot
    assert bootrom.choose_partition(text.decode(), tryboot=False) == slots.PARTITIONS[slot]
    assert bootrom.choose_partition(text.decode(), tryboot=True) == slots.PARTITIONS[slots.other(slot)]


@given(old=SLOT, cut=st.integers(0, 600), backwards=st.booleans())
def test_a_write_that_stops_anywhere_leaves_a_text_that_boots_one_of_both(old: Slot, cut: int, backwards: bool) -> None:
    before, after = slots.autoboot(old), slots.autoboot(slots.other(old))
    assert len(before) == len(after)
    torn = before[:cut] + after[cut:] if backwards else after[:cut] + before[cut:]
    booted = bootrom.choose_partition(torn.decode(), tryboot=False)
    assert booted in {2, 3}
    assert slots.slot_of(booted) == slots.default_of(torn)
    assert bootrom.choose_partition(torn.decode(), tryboot=True) in {2, 3}


@given(st.binary(max_size=600))
def test_nothing_in_the_file_stops_the_reader(text: bytes) -> None:
    assert slots.default_of(text) in {None, "A", "B"}


@given(st.text(alphabet="[]allbootpritn_=23 #\r\n\ttrybo", max_size=200))
def test_the_reader_and_the_rom_agree_on_what_boots(text: str) -> None:
    try:
        said = slots.slot_of(bootrom.choose_partition(text, tryboot=False))
    except bootrom.NoBoot:
        said = None
    found = slots.default_of(text.encode())
    assert found is None or found == said


def test_a_trial_that_came_up_well_becomes_the_default() -> None:
    marked = slots.marked(Ledger(attempts=2), "A", Booted(3, tryboot=True), "B", "good")
    assert marked == Decision(Ledger(states=BOTH_GOOD, attempts=0), "B")


@pytest.mark.parametrize("booted", [Booted(2, tryboot=False), Booted(7, tryboot=True), None])
def test_only_the_slot_that_the_firmware_says_is_running_becomes_the_default(booted: Booted | None) -> None:
    marked = slots.marked(Ledger(), "A", booted, "B", "good")
    assert marked.default is None
    assert marked.ledger.states["B"] == "good"


def test_a_default_that_is_called_bad_gives_way_only_to_a_good_one() -> None:
    running = Booted(2, tryboot=False)
    assert slots.marked(Ledger(), "A", running, "A", "bad").default is None
    assert slots.marked(Ledger(states=BOTH_GOOD), "A", running, "A", "bad").default == "B"


def test_trials_are_not_counted_and_left_at_the_first_failure() -> None:
    trial = Booted(3, tryboot=True)
    assert slots.attempted(Ledger(), trial) == Ledger()
    assert slots.unhealthy(Ledger(), "A", trial) == (Decision(Ledger()), True)


def test_three_unhealthy_boots_in_a_row_take_the_other_slot() -> None:
    ledger, booted = Ledger(states=BOTH_GOOD), Booted(3, tryboot=False)
    for number in range(1, slots.ATTEMPTS):
        ledger = slots.attempted(ledger, booted)
        decision, again = slots.unhealthy(ledger, "B", booted)
        assert (decision, again) == (Decision(Ledger(BOTH_GOOD, number, number)), True)
        ledger = decision.ledger
    ledger = slots.attempted(ledger, booted)
    decision, again = slots.unhealthy(ledger, "B", booted)
    assert (decision.default, decision.ledger, again) == ("A", Ledger({"A": "good", "B": "bad"}), True)


def test_boots_that_were_cut_off_do_not_make_the_first_unhealthy_one_the_last() -> None:
    ledger = Ledger(BOTH_GOOD, slots.ATTEMPTS + 1)
    assert slots.unhealthy(ledger, "A", Booted(2, tryboot=False))[0].default is None


def test_with_no_good_slot_left_the_device_stays_up() -> None:
    ledger, booted = Ledger(attempts=slots.ATTEMPTS, unhealthy=slots.ATTEMPTS - 1), Booted(2, tryboot=False)
    decision, again = slots.unhealthy(ledger, "A", booted)
    assert (decision.default, again) == (None, False)
    assert slots.given_up(Ledger(attempts=99), "A", booted) == Decision(Ledger(attempts=99))


@pytest.mark.parametrize("booted", [None, Booted(2, tryboot=False), Booted(3, tryboot=False), Booted(7, tryboot=False)])
@pytest.mark.parametrize("states", [BOTH_GOOD, Ledger().states])
def test_whatever_the_firmware_says_unhealthy_boots_do_not_go_on_for_ever(
    booted: Booted | None, states: dict[Slot, slots.State]
) -> None:
    """Nobody makes the device healthy, and the ROM takes the same partition each time, whatever it is told."""
    ledger, boots, again = Ledger(states), 0, True
    default: Slot = "A"
    while again:
        boots += 1
        assert boots <= 3 * slots.ATTEMPTS
        ledger = slots.attempted(ledger, booted)
        assert slots.given_up(ledger, default, booted).default is None
        decision, again = slots.unhealthy(ledger, default, booted)
        ledger, default = decision.ledger, decision.default or default
    assert ledger.unhealthy == slots.ATTEMPTS


def test_a_slot_that_the_rom_fell_back_to_is_not_left_for_the_one_that_it_did_not_take() -> None:
    fell_back = Booted(3, tryboot=False)
    tired = Ledger(BOTH_GOOD, 99, slots.ATTEMPTS)
    assert slots.given_up(tired, "A", fell_back) == Decision(tired)
    assert slots.unhealthy(tired, "A", fell_back)[0].default is None


def test_boots_that_nobody_judged_give_a_slot_up_only_after_many() -> None:
    assert slots.UNJUDGED >= 10
    assert slots.given_up(Ledger(BOTH_GOOD, slots.UNJUDGED), "B", Booted(3, tryboot=False)).default is None
    assert slots.given_up(Ledger(BOTH_GOOD, slots.UNJUDGED + 1), "B", Booted(3, tryboot=False)).default == "A"


RUNS_A, RUNS_B = Booted(2, tryboot=False), Booted(3, tryboot=False)
# B's program has brought the database where A's cannot follow.
ONE_WAY: dict[Slot, int] = {"A": 22, "B": 30}
FLOOR = 30


@pytest.mark.parametrize(("heads", "floor", "back"), [
    (ONE_WAY, FLOOR, False),
    (ONE_WAY, 22, True),
    (ONE_WAY, 0, True),
    ({"B": 30}, FLOOR, True),
    ({}, FLOOR, True),
])  # fmt: skip
def test_a_slot_whose_program_ends_at_the_database_is_no_way_back(
    heads: dict[Slot, int], floor: int, back: bool
) -> None:
    ledger = Ledger(BOTH_GOOD, unhealthy=slots.ATTEMPTS - 1, heads=heads)
    decision, again = slots.unhealthy(ledger, "B", RUNS_B, floor)
    assert (decision.default, again) == (("A", True) if back else (None, False))
    tired = Ledger(BOTH_GOOD, slots.UNJUDGED + 1, heads=heads)
    assert slots.given_up(tired, "B", RUNS_B, floor).default == ("A" if back else None)
    assert slots.marked(tired, "B", RUNS_B, "B", "bad", floor).default == ("A" if back else None)


@pytest.mark.parametrize("mark", ["good", "bad"])
def test_a_slot_whose_program_ends_at_the_database_is_left_for_the_one_that_works_whatever_its_mark(
    mark: slots.State,
) -> None:
    ledger = Ledger({"A": "good", "B": mark}, 1, heads=ONE_WAY)
    left = Decision(Ledger({"A": "bad", "B": mark}, heads=ONE_WAY), "B")
    assert slots.given_up(ledger, "A", RUNS_A, FLOOR) == left
    assert slots.unhealthy(ledger, "A", RUNS_A, FLOOR) == (left, True)


@pytest.mark.parametrize(
    ("heads", "booted"),
    [
        ({"A": 22}, RUNS_A),
        ({"A": 22, "B": 29}, RUNS_A),
        ({"A": 22, "B": 0}, RUNS_A),
        (ONE_WAY, None),
        (ONE_WAY, RUNS_B),
        (ONE_WAY, Booted(3, tryboot=True)),
    ],
)
def test_it_is_left_only_for_one_that_is_known_to_work_and_only_while_it_runs_as_the_default(
    heads: dict[Slot, int], booted: Booted | None
) -> None:
    ledger = Ledger({"A": "good", "B": "bad"}, 1, heads=heads)
    assert slots.given_up(ledger, "A", booted, FLOOR) == Decision(ledger)


@given(states=st.fixed_dictionaries({slot: st.sampled_from(["good", "bad"]) for slot in slots.SLOTS}), default=SLOT)
def test_no_loop_of_reboots_comes_of_a_database_that_is_too_new(states: dict[Slot, slots.State], default: Slot) -> None:
    """Neither slot comes up well, and the ROM does as it is told: the device stays in the newer one after a few boots."""
    ledger, changes, again, boots = Ledger(states, heads=ONE_WAY), 0, True, 0
    while again:
        boots += 1
        assert boots <= 2 * slots.ATTEMPTS
        booted = RUNS_A if default == "A" else RUNS_B
        ledger = slots.attempted(ledger, booted)
        decision = slots.given_up(ledger, default, booted, FLOOR)
        if decision.default is None:
            decision, again = slots.unhealthy(ledger, default, booted, FLOOR)
        changes += decision.default is not None
        ledger, default = decision.ledger, decision.default or default
    assert (default, changes <= 1) == ("B", True)


def test_what_is_overwritten_is_not_known_any_more_and_what_runs_is() -> None:
    ledger = slots.known(Ledger(BOTH_GOOD, heads=ONE_WAY), RUNS_A, 23)
    assert ledger.heads == {"A": 23, "B": 30}
    assert slots.known(ledger, None, 99) == ledger
    assert slots.marked(ledger, "A", RUNS_A, "B", "bad").ledger.heads == {"A": 23}
    assert slots.marked(ledger, "A", RUNS_A, "A", "bad").ledger.heads == {"A": 23, "B": 30}


@given(st.lists(st.sampled_from(["good", "hangs", "unhealthy"]), max_size=30))
def test_a_device_with_one_slot_that_works_ends_there_and_stays(fates: list[str]) -> None:
    """Slot B is committed and then breaks in any manner; A works. Whatever happens, the device comes to rest in A."""
    ledger = Ledger(states=BOTH_GOOD)
    default: slots.Slot = "B"
    for number in range(2 * slots.UNJUDGED + 2):
        booted = Booted(slots.PARTITIONS[default], tryboot=False)
        ledger = slots.attempted(ledger, booted)
        decision = slots.given_up(ledger, default, booted)
        if decision.default is None:
            fate = fates[number % len(fates)] if fates and default == "B" else "hangs"
            if default == "A":
                decision = slots.marked(ledger, default, booted, "A", "good")
            elif fate == "unhealthy":
                decision, again = slots.unhealthy(ledger, default, booted)
                assert again
            elif fate == "good":
                decision = slots.marked(ledger, default, booted, "B", "good")
        ledger, default = decision.ledger, decision.default or default
    if "good" not in fates:
        assert default == "A"
    assert "good" in ledger.states.values()
