"""Print spool, sweeping, waking and the clocks."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import Invalid, NotFound
from appliance.domain.printing import NoSale
from appliance.services import booking, door, hardware, printing, sweep
from appliance.services.booking import Item
from appliance.services.clock import BUILT_AT_MS, synchronised, system_clock
from appliance.services.startup import WrongDatabase, prepare
from appliance.services.wake import Waiter, notify
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.topics import CLOUD
from tests.support.box import ADULT, BADGE, ROOM, SeededBytes, TestBox, example_catalogue, guest, make_box


def sell(box: TestBox):
    return box.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, 1)], "cash", "1"))


def states(box: TestBox) -> list[str]:
    return [job.state for job in reversed(box.look(door.door_view).jobs)]


def test_jobs_are_claimed_in_order_and_finished_with_an_outcome(box):
    sell(box)
    first = box.run(printing.claim)
    assert (first.kind, first.state, first.attempts) == ("receipt", "sending", 1)
    second = box.run(printing.claim)
    assert second.kind == "stub"
    assert box.run(printing.claim) is None
    box.run(lambda unit: printing.finish(unit, first.id, "printed"))
    box.run(lambda unit: printing.finish(unit, second.id, "failed", "paper out"))
    assert states(box) == ["printed", "failed"]
    with pytest.raises(Invalid):
        box.run(lambda unit: printing.finish(unit, first.id, "failed"))


def test_asking_for_a_copy_again_and_again_is_one_copy_until_it_is_out(box):
    """Ten taps at a printer without paper are not ten reprints on the new roll, nor ten in the audit."""
    job = box.run(lambda unit: unit.print("no_sale", NoSale("Hall", "UTC", unit.now.wall_ms, BADGE, "")))
    box.run(printing.claim)
    box.run(lambda unit: printing.finish(unit, job, "printed"))
    copies = {box.run(lambda unit: printing.reprint(unit, job, BADGE)).id for _ in range(10)}
    (copy,) = copies
    box.run(printing.claim)
    box.run(lambda unit: printing.finish(unit, copy, "printed"))
    assert box.run(lambda unit: printing.reprint(unit, job, BADGE)).id not in copies
    with box.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM audit WHERE action = 'reprint'").scalar() == 2


def test_a_desk_that_died_while_printing_leaves_an_ambiguous_job_that_staff_reprint(box):
    sell(box)
    job = box.run(printing.claim)
    assert [job.state for job in box.run(printing.recover)] == ["ambiguous"]
    assert states(box)[0] == "ambiguous"
    copy = box.run(lambda unit: printing.reprint(unit, job.id, BADGE))
    assert (copy.reprint_of, copy.state, copy.document) == (job.id, "queued", job.document)
    with pytest.raises(Invalid):
        box.run(lambda unit: printing.reprint(unit, copy.id, BADGE))
    with pytest.raises(NotFound):
        box.run(lambda unit: printing.reprint(unit, 999, BADGE))


def test_a_job_of_which_no_byte_was_taken_is_claimed_again(box):
    sell(box)
    job = box.run(printing.claim)
    box.run(lambda unit: printing.finish(unit, job.id, "failed", "printer is off"))
    assert box.run(printing.claim).attempts == 2


def test_hardware_is_shown_as_last_seen(box):
    box.run(lambda unit: hardware.report(unit, "printer", "fault", "Paper out.", 5))
    box.run(lambda unit: hardware.report(unit, "printer", "ready", "", 9))
    [printer] = box.look(door.door_view).hardware
    assert (printer.state, printer.since_ms, printer.seen_at_ms) == ("ready", 9, box.turn.now.wall_ms)


def test_unpaid_orders_are_cancelled_when_their_time_has_come_and_the_clock_is_trusted(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(Limits(unpaid_until=-30)), grants={ROOM: 10})

    def book(unit):
        return booking.confirm(unit, booking.place_hold(unit, guest(), [Item(ADULT, 1)]).id)

    order, paid = box.run(book), sell(box)
    box.turn.advance(29 * MINUTE_MS)
    assert box.run(sweep.sweep).cancelled_orders == 0
    box.turn.trust(False)
    box.turn.advance(MINUTE_MS)
    assert box.run(sweep.sweep).cancelled_orders == 0
    box.turn.trust(True)
    assert box.run(sweep.sweep).cancelled_orders == 1
    assert box.look(lambda unit: booking.find_order(unit, order.id)).status == "cancelled"
    assert box.look(lambda unit: booking.find_order(unit, paid.id)).status == "confirmed"
    box.database.close()


def test_sweeping_with_nothing_to_do_writes_nothing_to_the_disk(box):
    box.run(sweep.sweep)
    commits = box.database.commits
    box.run(sweep.sweep)
    assert box.database.commits == commits


def test_a_database_copied_to_another_card_sells_nothing_until_the_cloud_spoke(box):
    inc = box.look(lambda unit: unit.inc)
    prepare(box.database, box.identity, SeededBytes(9), box.signer)
    assert box.look(lambda unit: unit.inc) == inc
    prepare(box.database, box.identity, SeededBytes(9), box.signer, bound_to="another card")
    assert box.look(lambda unit: (unit.inc != inc, unit.device.frozen)) == (True, True)
    with pytest.raises(WrongDatabase, match="north-1"):
        prepare(
            box.database, replace(box.identity, device="west-1"), SeededBytes(9), box.signer, bound_to="another card"
        )


def test_a_copied_database_tells_what_it_had_not_told_under_its_new_life(box):
    """The original may use the same numbers, and an ack for its message must not count for the copy's."""
    hold = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 1)]))
    box.run(lambda unit: booking.confirm(unit, hold.id))
    before = box.look(lambda unit: unit.inc)
    prepare(box.database, box.identity, SeededBytes(9), box.signer, bound_to="another card")
    after = box.look(lambda unit: unit.inc)
    old, new = box.look(lambda unit: [unit.mail.unacked(CLOUD, inc) for inc in (before, after)])
    assert old == []
    assert [row.kind for row in new] == ["OrderConfirmed"]


def test_a_waiter_wakes_at_once_and_several_calls_count_as_one(tmp_path):
    path = tmp_path / "run" / "bridge.sock"
    notify(path)  # nobody waits yet: no error
    waiter = Waiter(path)
    assert not waiter.wait(0)
    calls = [threading.Thread(target=notify, args=(path,)) for _ in range(3)]
    for each in calls:
        each.start()
    assert waiter.wait(10)
    for each in calls:
        each.join(10)
    waiter.wait(0)
    assert not waiter.wait(0)
    waiter.close()
    notify(path)
    assert not path.exists()


def test_a_full_socket_never_blocks_who_wakes(tmp_path):
    waiter = Waiter(tmp_path / "desk.sock")
    for _ in range(5000):
        notify(waiter.path)
    assert waiter.wait(0)
    assert not waiter.wait(0)
    waiter.close()


def test_the_clock_of_this_machine_is_believed_as_told_but_never_before_its_build():
    assert isinstance(synchronised(), bool)
    now = system_clock("trusted")()
    assert now.trusted == (now.wall_ms >= BUILT_AT_MS)
    assert not system_clock("untrusted")().trusted
    assert system_clock("auto", lambda: False)().trusted is False
    assert system_clock("auto", lambda: True)().boot_id == now.boot_id
    assert now.boot_ms > 0
