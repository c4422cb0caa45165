"""Photos on pages without scripts: asked for with a tick, shown to signed-in staff alone, deleted."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from PIL import Image

from appliance.domain.clock import MINUTE_MS
from appliance.domain.printing import Badge, decode
from appliance.services import booking, photos, printing
from appliance.services.photos import Picture
from tests.appliance.portal.conftest import Phone, forms
from tests.appliance.services.test_photos import book, count, say
from tests.support.box import BADGE, TestBox


def jpeg(side: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), "green").save(out, "JPEG")
    return out.getvalue()


def taken(box: TestBox) -> str:
    """Let the desk take what is wanted."""
    wanted = box.run(photos.claim)
    assert wanted is not None
    box.run(lambda unit: photos.finish(unit, wanted, Picture(jpeg(480), jpeg(96)), 24))
    return wanted


@pytest.fixture
def code(box: TestBox) -> str:
    """The code of an order; the desk has a camera."""
    say(box)
    return book(box).code


def test_a_photo_is_asked_for_awaited_shown_and_deleted(door: Phone, box: TestBox, code: str) -> None:
    page = door.get(f"/staff/orders?code={code}")
    assert "The guest agreed" in page
    page = door.send(page, "/photos", agreed="yes")
    assert "The photo is being taken" in page
    assert door.last is not None
    assert door.last.headers["Refresh"] == f"2;url=/staff/orders?code={code}"
    photo = taken(box)
    page = door.get(f"/staff/orders?code={code}")
    assert "Refresh" not in door.last.headers
    assert f'src="/staff/photos/{photo}.jpg"' in page
    assert "Is deleted by itself" in page
    assert "Take another photo" in page
    for path, size in ((f"/staff/photos/{photo}.jpg", 480), (f"/staff/photos/{photo}/small.jpg", 96)):
        answer = door.http.get(path)
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.data)).size == (size, size)
    page = door.send(page, "/deletion")
    assert photo not in page
    assert count(box) == 0
    assert door.http.get(f"/staff/photos/{photo}.jpg").status_code == 404


def test_without_the_tick_nothing_is_asked_for(door: Phone, box: TestBox, code: str) -> None:
    where, fields = next(each for each in forms(door.get(f"/staff/orders?code={code}")) if "/photos" in each[0])
    assert fields.pop("agreed") == "yes"
    assert "Ask the guest first" in door.post(where, fields)
    assert door.status == 422
    assert count(box) == 0


def test_the_same_form_twice_asks_once(door: Phone, box: TestBox, code: str) -> None:
    page = door.get(f"/staff/orders?code={code}")
    door.send(page, "/photos", agreed="yes")
    photo = taken(box)
    assert photo in door.send(page, "/photos", agreed="yes")


def test_nobody_but_staff_sees_or_deletes_a_photo(
    phone: Phone, door: Phone, app: Flask, box: TestBox, code: str
) -> None:
    door.send(door.get(f"/staff/orders?code={code}"), "/photos", agreed="yes")
    photo = taken(box)
    stranger = app.test_client()
    for path in (f"/staff/photos/{photo}.jpg", f"/staff/photos/{photo}/small.jpg"):
        answer = stranger.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].endswith("/staff/sign-in")
    assert stranger.post(f"/staff/photos/{photo}/deletion").status_code != 200
    # Staff without the form's own token cannot be made to do it by another page.
    assert door.http.post(f"/staff/photos/{photo}/deletion").status_code == 403
    assert count(box) == 1
    assert photo not in phone.get("/")


def test_a_failure_is_said_with_what_to_do(door: Phone, box: TestBox, code: str) -> None:
    page = door.get(f"/staff/orders?code={code}")
    door.send(page, "/photos", agreed="yes")
    box.turn.advance(MINUTE_MS + 1)
    say(box)
    page = door.get(f"/staff/orders?code={code}")
    assert "The desk did not answer within a minute" in page
    assert door.last is not None
    assert "Refresh" not in door.last.headers
    door.send(page, "/photos", agreed="yes")
    wanted = box.run(photos.claim)
    box.run(lambda unit: photos.fail(unit, str(wanted), "no_picture"))
    assert "The camera gave no picture" in door.get(f"/staff/orders?code={code}")


def test_without_a_camera_there_is_no_button_and_a_hand_made_form_is_refused(door: Phone, box: TestBox) -> None:
    order = book(box)
    page = door.get(f"/staff/orders?code={order.code}")
    assert "Take a photo" not in page
    fields = next(fields for where, fields in forms(page) if "/badges" in where)
    door.post("/staff/photos", {**fields, "ticket": order.tickets[0].id, "agreed": "yes"})
    assert door.status == 422
    assert count(box) == 0


def test_the_door_shows_the_face_with_the_verdict_and_in_the_last_scans(door: Phone, box: TestBox, code: str) -> None:
    door.send(door.get(f"/staff/orders?code={code}"), "/photos", agreed="yes")
    page = door.send(door.get("/staff/"), "/check-ins", code=code)
    mark = page.partition('data-mark="')[2].partition('"')[0]
    assert "face" not in page
    photo = taken(box)
    page = door.get("/staff/")
    assert f'class="face" src="/staff/photos/{photo}.jpg" alt="Photo of the guest"' in page
    assert f'class="face tiny" src="/staff/photos/{photo}/small.jpg"' in page
    # Pages that are pushed learn of it too.
    assert mark not in page
    door.send(page, "/check-ins", code="NOBODYHERE")
    assert f"/staff/photos/{photo}.jpg" not in door.get("/staff/")


def test_a_name_that_finds_several_shows_who_is_who(door: Phone, box: TestBox, code: str) -> None:
    book(box, name="Zoë")
    door.send(door.get(f"/staff/orders?code={code}"), "/photos", agreed="yes")
    assert "face" not in door.get("/staff/orders?code=zo")
    assert f"/staff/photos/{taken(box)}/small.jpg" in door.get("/staff/orders?code=zo")


def test_one_badge_is_printed_with_the_name_as_typed_and_the_photo(door: Phone, box: TestBox, code: str) -> None:
    door.send(door.get(f"/staff/orders?code={code}"), "/photos", agreed="yes")
    photo = taken(box)
    page = door.get(f"/staff/orders?code={code}")
    assert next(fields for where, fields in forms(page) if "/ticket-badges" in where)["name"] == "Zoë"
    door.send(page, "/ticket-badges", name="Zoë Bär")
    door.send(page, "/ticket-badges", name="Zoë Bär")
    job = box.run(printing.claim)
    while job is not None and job.kind != "badge":
        job = box.run(printing.claim)
    assert job is not None
    document = decode(job.document)
    assert isinstance(document, Badge)
    assert (document.name, document.photo, job.reprint_of) == ("Zoë Bär", photo, None)
    assert box.run(printing.claim) is None
    door.send(door.get(f"/staff/orders?code={code}"), "/ticket-badges", name="Zoë")
    again = box.run(printing.claim)
    assert again is not None
    assert again.reprint_of == job.id


def test_a_badge_of_a_cancelled_order_is_refused(door: Phone, box: TestBox, code: str) -> None:
    page = door.get(f"/staff/orders?code={code}")
    box.run(lambda unit: booking.cancel(unit, booking.find_by_code(unit, code).id, by=BADGE))
    door.send(page, "/ticket-badges", name="Zoë")
    assert door.status == 422
