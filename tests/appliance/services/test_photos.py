"""Photos only with consent, only now, kept for a stated time, and in no message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.domain.clock import DAY_MS, HOUR_MS, MINUTE_MS
from appliance.domain.errors import DiskFull, Invalid, LimitReached, NotFound
from appliance.domain.printing import Badge, decode
from appliance.services import badges, booking, door, hardware, payments, photos, printing, privacy
from appliance.services.booking import Item
from appliance.services.photos import Picture
from appliance.services.staff_views import PhotoView
from appliance.services.stationery import stationery_for
from appliance.services.sweep import sweep
from appliance.services.training import box_of, make_copy
from appliance.services.views import OrderView
from appliance.store import records, tables
from mqtt_bridge.protocol.messages import ErasePersonalData
from tests.appliance.services.test_exits import allow_re_entry
from tests.support.box import ADULT, BADGE, TestBox, TestKey, desk

JPEG = b"\xff\xd8not really one\xff\xd9"
TAKEN = Picture(JPEG, JPEG[:2])
HOURS = 24
# The session of the example ends three hours after the test's clock begins.
KEPT_MS = (3 + HOURS) * HOUR_MS


@pytest.fixture
def camera(box: TestBox) -> TestBox:
    say(box)
    return box


def say(box: TestBox, state: str = "ready") -> None:
    box.run(lambda unit: hardware.report(unit, "camera", state, "", unit.now.wall_ms))


def book(box: TestBox, tickets: int = 1, name: str = "Zoë") -> OrderView:
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(ADULT, tickets)])
        return booking.confirm(unit, held.id, name=name)

    return box.run(work)


def ask(box: TestBox, order: OrderView, number: int = 0) -> PhotoView:
    return box.run(lambda unit: photos.ask(unit, order.tickets[number].id, BADGE, agreed=True))


def take(box: TestBox, order: OrderView) -> str:
    """A photo of the holder of the order's first ticket."""
    wanted = ask(box, order).id
    assert box.run(photos.claim) == wanted
    assert box.run(lambda unit: photos.finish(unit, wanted, TAKEN, HOURS))
    return wanted


def of(box: TestBox, order: OrderView) -> PhotoView | None:
    ticket = order.tickets[0].id
    return box.look(lambda unit: photos.of_tickets(unit, [ticket])).get(ticket)


def count(box: TestBox) -> int:
    with box.database.read() as db:
        return int(db.exec_driver_sql("SELECT count(*) FROM photo").scalar_one())


def test_nobody_is_photographed_without_agreeing(camera: TestBox) -> None:
    order = book(camera)
    with pytest.raises(Invalid) as refused:
        camera.run(lambda unit: photos.ask(unit, order.tickets[0].id, BADGE, agreed=False))
    assert refused.value.facts["field"] == "agreed"
    assert count(camera) == 0


def test_a_photo_is_asked_for_taken_seen_and_deleted_with_an_audit_that_names_nobody(camera: TestBox) -> None:
    order = book(camera)
    camera.wakes.whom.clear()
    photo = take(camera, order)
    assert "desk" in camera.wakes.whom
    found = of(camera, order)
    assert found is not None
    assert (found.state, found.reason, found.id) == ("taken", "", photo)
    assert camera.look(lambda unit: photos.picture(unit, photo)) == JPEG
    assert camera.look(lambda unit: photos.picture(unit, photo, small=True)) == JPEG[:2]
    assert camera.run(lambda unit: photos.delete(unit, photo, BADGE)) == order.tickets[0].id
    assert count(camera) == 0
    with pytest.raises(NotFound):
        camera.look(lambda unit: photos.picture(unit, photo))
    with camera.database.read() as db:
        told = [(row.who, row.action, row.subject, row.detail) for row in db.execute(tables.audit.select())]
    ticket = order.tickets[0].id
    assert (BADGE, "photo", ticket, "the guest agreed") in told
    assert (BADGE, "photo_deleted", ticket, "") in told
    assert "Zoë" not in str(told)


def test_another_photo_takes_the_place_of_the_first_at_once(camera: TestBox) -> None:
    order = book(camera)
    first = take(camera, order)
    second = ask(camera, order)
    assert ask(camera, order).id == second.id != first
    with pytest.raises(NotFound):
        camera.look(lambda unit: photos.picture(unit, first))
    assert count(camera) == 1


@pytest.mark.parametrize("late", ["minute", "restart"])
def test_whoever_stands_there_a_minute_later_is_not_photographed(camera: TestBox, late: str) -> None:
    order = book(camera)
    wanted = ask(camera, order).id
    if late == "minute":
        camera.turn.advance(MINUTE_MS + 1)
    else:
        camera.turn.reboot()
    seen = of(camera, order)
    assert seen is not None
    assert (seen.state, seen.reason) == ("failed", "no_desk")
    # Also a desk that was at it all the time throws its picture away.
    assert not camera.run(lambda unit: photos.finish(unit, wanted, TAKEN, HOURS))
    assert camera.run(photos.claim) is None
    seen = of(camera, order)
    assert seen is not None
    assert (seen.state, seen.reason) == ("failed", "too_late")


def test_few_wait_at_once_and_wishes_of_a_dead_desk_do_not_fill_the_queue(camera: TestBox) -> None:
    order = book(camera, photos.MOST_WAITING + 1)
    for number in range(photos.MOST_WAITING):
        ask(camera, order, number)
    with pytest.raises(LimitReached):
        ask(camera, order, photos.MOST_WAITING)
    camera.turn.advance(MINUTE_MS + 1)
    camera.run(sweep)
    say(camera)
    assert ask(camera, order, photos.MOST_WAITING).state == "wanted"


def test_without_a_camera_or_room_nothing_is_asked_for(box: TestBox) -> None:
    order = book(box)
    assert not box.look(photos.offered)
    with pytest.raises(Invalid):
        ask(box, order)
    say(box, "absent")
    assert box.look(photos.offered)
    with pytest.raises(DiskFull):
        ask(replace(box, has_room=lambda: False), order)
    box.turn.advance(5 * MINUTE_MS)
    assert not box.look(photos.offered)


def test_a_failure_is_told_and_does_not_touch_what_became_of_it_since(camera: TestBox) -> None:
    order = book(camera)
    wanted = ask(camera, order).id
    camera.run(lambda unit: photos.fail(unit, wanted, "no_picture"))
    seen = of(camera, order)
    assert seen is not None
    assert (seen.state, seen.reason) == ("failed", "no_picture")
    assert not camera.run(lambda unit: photos.finish(unit, wanted, TAKEN, HOURS))
    camera.run(lambda unit: photos.fail(unit, "gone", "no_picture"))
    camera.turn.advance(HOUR_MS + 1)
    camera.run(sweep)
    assert count(camera) == 0


def test_a_large_picture_is_refused(camera: TestBox) -> None:
    wanted = ask(camera, book(camera)).id
    with pytest.raises(Invalid):
        camera.run(lambda unit: photos.finish(unit, wanted, Picture(bytes(40_001), b""), HOURS))


def test_a_photo_goes_the_stated_hours_after_the_end(camera: TestBox) -> None:
    order = book(camera)
    take(camera, order)
    seen = of(camera, order)
    assert seen is not None
    assert seen.keep_until_ms == camera.turn().wall_ms + KEPT_MS
    camera.turn.advance(KEPT_MS - 1)
    camera.run(sweep)
    assert count(camera) == 1
    camera.turn.advance(1)
    camera.run(sweep)
    assert count(camera) == 0


def test_a_photo_goes_in_time_although_the_device_was_off_all_night(camera: TestBox) -> None:
    take(camera, book(camera))
    camera.turn.advance(KEPT_MS)
    camera.turn.reboot()
    camera.run(sweep)
    assert count(camera) == 0


def test_with_an_untrusted_clock_a_photo_lives_the_hours_that_the_device_runs(camera: TestBox) -> None:
    camera.turn.trust(trusted=False)
    order = book(camera)
    take(camera, order)
    seen = of(camera, order)
    assert seen is not None
    assert seen.keep_until_ms is None
    for _boot in range(2):
        for _step in range(6):
            camera.turn.advance(2 * HOUR_MS - MINUTE_MS)
            camera.run(sweep)
        assert count(camera) == 1
        # What passes before the first sweep of a boot is not counted: the device cannot know since when it was off.
        camera.turn.reboot()
        camera.run(sweep)
    camera.turn.advance(13 * MINUTE_MS)
    camera.run(sweep)
    assert count(camera) == 0


def test_once_the_clock_is_trusted_a_photo_gets_its_date(camera: TestBox) -> None:
    """Not sooner: a clock that stood in another year would delete everything at once, or keep it for years."""
    camera.turn.trust(trusted=False)
    camera.turn.advance(-9000 * DAY_MS)
    say(camera)
    order = book(camera)
    take(camera, order)
    camera.turn.advance(HOUR_MS)
    camera.turn.now = replace(camera.turn.now, wall_ms=camera.turn.now.wall_ms + 9000 * DAY_MS, trusted=True)
    camera.run(sweep)
    seen = of(camera, order)
    assert seen is not None
    assert seen.keep_until_ms == camera.turn().wall_ms + (HOURS - 1) * HOUR_MS


def test_erasing_somebody_deletes_their_photo_even_while_it_is_taken(camera: TestBox) -> None:
    anna, berta = book(camera, name="Anna"), book(camera, name="Berta")
    take(camera, berta)
    take(camera, anna)
    wanted = ask(camera, anna).id
    camera.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e1", order=anna.id)))
    assert not camera.run(lambda unit: photos.finish(unit, wanted, TAKEN, HOURS))
    assert of(camera, anna) is None
    assert of(camera, berta) is not None


def test_no_message_and_no_copy_for_practice_has_a_photo_in_it(camera: TestBox, tmp_path) -> None:
    order = book(camera)
    before = camera.look(lambda unit: len(unit.mail.unacked("cloud", unit.inc)))
    photo = take(camera, order)
    camera.run(lambda unit: photos.delete(unit, photo, BADGE))
    take(camera, order)
    assert camera.look(lambda unit: len(unit.mail.unacked("cloud", unit.inc))) == before
    path = make_copy(camera, tmp_path / "practice", "p1")
    assert JPEG not in path.read_bytes()
    practice = box_of(camera, path, TestKey(bytes(32)))
    assert practice.look(lambda unit: records.hardware_rows(unit.db)) == []
    assert not practice.look(photos.offered)
    practice.database.close()


def test_a_badge_shows_the_photo_as_long_as_there_is_one(camera: TestBox) -> None:
    order = book(camera)
    photo = take(camera, order)
    job = camera.run(lambda unit: badges.print_badge(unit, order.id, order.tickets[0].id, " Zoë  B. ", BADGE))
    found = camera.look(lambda unit: printing.find(unit, job))
    document = decode(found.document)
    assert isinstance(document, Badge)
    assert (document.name, document.photo) == ("Zoë B.", photo)
    assert JPEG not in found.document
    assert camera.look(lambda unit: stationery_for(unit, found)).photos == {photo: JPEG}
    camera.run(lambda unit: photos.delete(unit, photo, BADGE))
    assert camera.look(lambda unit: stationery_for(unit, found)).photos == {}


def test_who_has_a_badge_gets_no_other_by_being_admitted(camera: TestBox) -> None:
    allow_re_entry(camera, badges=True)
    order = book(camera)
    scan = order.tickets[0].code

    def badges_printed() -> int:
        with camera.database.read() as db:
            return int(db.exec_driver_sql("SELECT count(*) FROM print_job WHERE kind = 'badge'").scalar_one())

    take(camera, order)
    camera.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", order.due_minor))
    camera.run(lambda unit: badges.print_badge(unit, order.id, order.tickets[0].id, "Zoë", BADGE))
    camera.turn.advance(HOUR_MS)
    view = camera.run(lambda unit: door.check_in(unit, scan, BADGE, "lane-1", "in"))
    assert view.verdict == "admitted"
    assert badges_printed() == 1
    # One that will never come out does not count.
    with camera.database.write() as db:
        db.exec_driver_sql("UPDATE print_job SET state = 'failed', given_up = 1 WHERE kind = 'badge'")
    camera.run(lambda unit: door.undo(unit, view.id, BADGE))
    camera.run(lambda unit: door.check_in(unit, scan, BADGE, "lane-1", "in"))
    assert badges_printed() == 2


def test_a_second_badge_of_a_ticket_says_so(camera: TestBox) -> None:
    order = book(camera, 2)
    one, other = (ticket.id for ticket in order.tickets)
    first = camera.run(lambda unit: badges.print_badge(unit, order.id, one, "Zoë", BADGE))
    again = camera.run(lambda unit: badges.print_badge(unit, order.id, one, "Zoé", BADGE))
    third = camera.run(lambda unit: badges.print_badge(unit, order.id, other, "", BADGE))
    jobs = camera.look(lambda unit: [printing.find(unit, job) for job in (first, again, third)])
    assert [job.reprint_of for job in jobs] == [None, first, None]
