"""Rows of docs/failure-matrix.md that simulated time can show: a calm evening with one kind of fault, then everything checked.

``evening`` ends with the checks of every run: nothing oversold, nothing confirmed lost, both sides counting alike.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.domain.errors import SoldOutHere
from tests.simulation import centre, device, till
from tests.simulation.card import DiskFull
from tests.simulation.device import Crashed
from tests.simulation.faults import Faults
from tests.simulation.guests import LIMITS
from tests.simulation.run import heal
from tests.simulation.unit import Unit
from tests.simulation.world import World

GUESTS, EVENING_MS = 60, 30_000
Cause = Callable[[Faults], None]


def evening(*causes: Cause, times: int = 3) -> World:
    """Run a short evening in which each fault is caused some times."""
    world = World(4)
    faults = Faults(world)
    world.start()
    world.guests.invite(GUESTS, EVENING_MS * 2 // 3)
    for number in range(times):
        for cause in causes:
            world.time.at(5_000 + number * 6_000, lambda cause=cause: cause(faults))  # type: ignore[misc]
    world.pass_time(EVENING_MS)
    faults.end()
    heal(world)
    return world


def granted() -> World:
    """A town at rest in which every device has stock."""
    world = World(4)
    world.start()
    world.pass_time(5_000)
    return world


@pytest.mark.fault(1)
def test_a_venue_without_network_sells_its_own_and_tells_later() -> None:
    assert evening(Faults.cut, times=4).happened["venue offline"]


@pytest.mark.fault(2)
def test_a_device_whose_allocation_is_gone_refuses_and_never_sells_more() -> None:
    world = granted()
    who = world.devices[0]
    world.network.cut(who.port)
    with pytest.raises(SoldOutHere):
        for _ in range(500):
            who.run(lambda unit: till.place_hold(unit, [("a", 1)], LIMITS))
    shelf = till.current(Unit(who.card, who.now, who.identity, who.key, world.catalogue, who.secret))["a"]
    assert (shelf.available, shelf.held) == (0, shelf.totals.unsold)


@pytest.mark.fault(3)
def test_a_cut_before_commit_leaves_no_ticket_and_no_debit() -> None:
    world = granted()
    who = world.devices[0]
    hold = who.run(lambda unit: till.place_hold(unit, [("a", 2)], LIMITS))
    before = dict(who.card.shelves.rows)
    who.crash_here(device.BEFORE_COMMIT)
    with pytest.raises(Crashed):
        who.run(lambda unit: till.confirm(unit, hold))
    assert who.card.shelves.rows == before
    assert not who.card.tickets.rows
    assert evening(Faults.crash_before_commit).happened[device.BEFORE_COMMIT]


@pytest.mark.fault(4)
def test_after_a_cut_between_commit_and_answer_the_same_hold_finds_its_order() -> None:
    world = granted()
    who = world.devices[0]
    hold = who.run(lambda unit: till.place_hold(unit, [("a", 2)], LIMITS))
    who.crash_here(device.AFTER_COMMIT)
    with pytest.raises(Crashed):
        who.run(lambda unit: till.confirm(unit, hold))
    who.power_off()
    who.boot()
    order = who.run(lambda unit: till.confirm(unit, hold))
    assert list(who.card.orders.rows) == [order]
    assert world.truth.valid["a"] == 2


@pytest.mark.fault(5)
def test_a_cut_between_puback_and_ack_sends_again_and_counts_once() -> None:
    assert evening(Faults.crash_after_puback, times=4).happened[device.AFTER_PUBACK]


@pytest.mark.fault(6)
def test_repeated_messages_count_once() -> None:
    assert evening(Faults.repeat).network.repeated


@pytest.mark.fault(7)
def test_messages_in_another_order_give_the_same_rows() -> None:
    assert evening(Faults.reorder).network.overtaken


@pytest.mark.fault(8)
def test_a_missing_message_holds_back_what_follows_until_it_came() -> None:
    assert evening(Faults.lose).network.lost


@pytest.mark.fault(9)
def test_a_lost_grant_is_told_again() -> None:
    """The state that carried it vanished; nobody granted anything else meanwhile."""
    world = World(4)
    world.network.loss = 1.0
    world.start()
    world.pass_time(4_000)
    world.network.loss = 0.0
    world.pass_time(25_000)
    assert all(till_shelf.totals.granted for each in world.devices for till_shelf in each.card.shelves.rows.values())
    world.truth.check_books(world.centre)


@pytest.mark.fault(10)
def test_an_old_state_told_again_grants_nothing() -> None:
    world = granted()
    old = dict(world.network.retained)
    world.guests.invite(GUESTS, 10_000)
    world.pass_time(15_000)
    for topic, payload in old.items():
        world.network._arrive(topic, payload, retain=True)
    world.pass_time(2_000)
    world.truth.check_books(world.centre)
    heal(world)


@pytest.mark.fault(11)
def test_a_lost_return_costs_nothing_but_time() -> None:
    world = evening(Faults.lower_limit, Faults.lose)
    assert world.happened["limit lowered"]


@pytest.mark.fault(12)
def test_a_broker_that_forgets_everything_is_told_everything() -> None:
    assert evening(Faults.restart_broker).happened["broker restart"]


@pytest.mark.fault(13)
def test_what_a_broker_dropped_after_its_puback_is_sent_again() -> None:
    assert evening(Faults.overflow_queue, times=6).network.lost


@pytest.mark.fault(14)
def test_a_reconciler_that_dies_between_commit_and_ack_counts_once() -> None:
    assert evening(Faults.crash_reconciler_after).happened[centre.AFTER_COMMIT]
    assert evening(Faults.second_reconciler, Faults.kill_reconciler).happened["reconciler killed"]


@pytest.mark.fault(15)
def test_a_cloud_put_back_from_a_backup_is_told_what_it_lacks_and_grants_nothing_before() -> None:
    assert evening(Faults.restore_backup).happened["cloud restored from a backup"]


@pytest.mark.fault(16)
def test_without_the_cloud_database_venues_sell_on() -> None:
    assert evening(Faults.fail_database).happened["cloud database away"]


@pytest.mark.fault(18)
def test_a_card_put_back_sells_at_most_what_the_copy_could_and_is_noticed() -> None:
    world = evening(Faults.roll_back, times=4)
    assert world.happened["card rolled back"]
    assert world.truth.amnesia


@pytest.mark.fault(19)
@pytest.mark.parametrize("copy", [Faults.clone, Faults.twin])
def test_a_cloned_card_sells_at_most_what_it_could(copy: Cause) -> None:
    world = evening(copy, times=1)
    assert len(world.devices) == 9


@pytest.mark.fault(20)
def test_a_sealed_device_that_comes_back_sells_nothing_twice() -> None:
    assert evening(Faults.seal).happened["device sealed"]


@pytest.mark.fault(21)
def test_a_jumping_device_clock_moves_no_stock() -> None:
    assert evening(Faults.jump_device_clock, times=5).happened["device clock jumps"]


@pytest.mark.fault(22)
def test_a_jumping_cloud_clock_moves_no_stock() -> None:
    assert evening(Faults.jump_cloud_clock, times=5).happened["cloud clock jumps"]


@pytest.mark.fault(23)
def test_a_line_that_died_unnoticed_is_left_and_everything_sent_again() -> None:
    assert evening(Faults.deafen, times=5).happened["half-open line"]


@pytest.mark.fault(25)
def test_a_full_card_refuses_before_it_promises() -> None:
    world = granted()
    who = world.devices[0]
    who.card.full = True
    with pytest.raises(DiskFull):
        who.run(lambda unit: till.place_hold(unit, [("a", 1)], LIMITS))
    assert not who.card.holds.rows
    assert evening(Faults.fill_disk).happened["disk full"]


@pytest.mark.fault(26)
def test_a_limit_below_what_was_granted_is_reached_step_by_step() -> None:
    world = evening(Faults.lower_limit, times=5)
    assert world.happened["limit lowered"]


@pytest.mark.fault(27)
def test_a_cancel_at_another_venue_counts_once_when_the_door_has_voided_it() -> None:
    world = evening(Faults.cut, Faults.repeat)
    assert world.guests.elsewhere
    assert world.truth.void


@pytest.mark.fault(29)
def test_a_card_that_lied_about_a_flush_sells_again_at_most_what_it_forgot() -> None:
    assert evening(Faults.lie, times=5).happened["card lied about a flush"]
