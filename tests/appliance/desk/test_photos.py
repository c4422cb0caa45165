"""The desk takes photos: small, with nothing but the picture in them, of whoever stands there now or of nobody."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from PIL import Image

from appliance.desk.camera import CameraKeeper
from appliance.desk.photos import SIDE, SMALL_SIDE, Photographer, Unusable, shrunk
from appliance.desk.process import Addresses, Desk
from appliance.domain.clock import MINUTE_MS
from appliance.services import photos
from appliance.services.photos import LARGEST_BYTES, SMALL_BYTES
from appliance.services.wake import notify
from drivers.camera.picture import draw_test_picture
from drivers.camera.pictures import jpeg
from drivers.errors import DeviceTimeout
from drivers.health import State
from tests.appliance.desk.test_process import running, seen
from tests.appliance.services.test_photos import ask, book, count, of, say
from tests.support.box import TestBox
from tests.support.demo import wait_for

STILL = jpeg(draw_test_picture(3, "a guest"))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def noise(side: int) -> Image.Image:
    """The hardest picture for JPEG."""
    return Image.effect_noise((side, side), 120).convert("RGB")


def test_a_photo_is_small_and_upright_and_says_nothing_of_where_and_with_what_it_was_taken() -> None:
    picture = Image.new("RGB", (1920, 1080), "red")
    picture.paste("blue", (0, 0, 1920, 540))
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side: the blue top of the file is the right side of the picture
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif, comment=b"Secret place", icc_profile=b"profile")
    made = shrunk(out.getvalue())
    for written, side, most in ((made.body, SIDE, LARGEST_BYTES), (made.small, SMALL_SIDE, SMALL_BYTES)):
        photo = opened(written)
        assert photo.size == (side * 9 // 16, side)
        assert len(written) <= most
        assert not photo.getexif()
        assert not {"exif", "comment", "icc_profile"} & set(photo.info)
        assert b"Maker" not in written
        red, _green, blue = photo.getpixel((photo.width - 5, side // 2))  # type: ignore[misc]  # RGB gives three
        assert blue > 200 > red


def test_the_hardest_picture_fits_too() -> None:
    out = io.BytesIO()
    noise(900).save(out, "JPEG", quality=95)
    made = shrunk(out.getvalue())
    assert len(made.body) <= LARGEST_BYTES
    assert len(made.small) <= SMALL_BYTES


@pytest.mark.parametrize(
    "wrong", [b"", b"no picture", STILL[:4000], b"\x89PNG\r\n\x1a\n" + bytes(99), bytes(12_000_001)]
)
def test_what_is_no_whole_picture_is_refused(wrong: bytes) -> None:
    with pytest.raises(Unusable):
        shrunk(wrong)


def test_the_desk_takes_a_photo_when_woken(box: TestBox, tmp_path: Path) -> None:
    """From the row of a page to the picture of the real child process."""
    socket = tmp_path / "desk.sock"
    desk = Desk(box, Addresses(camera="sim://camera"))
    order = book(box)
    with running(lambda stop: desk.run(socket, stop)):
        # No device of its own: the camera's row says how it is.
        wait_for(lambda: seen(box) == {"camera": "ready"}, "the camera")
        wanted = ask(box, order).id
        notify(socket)
        wait_for(lambda: (found := of(box, order)) is not None and found.state == "taken", "the photo")
    photo = opened(box.look(lambda unit: photos.picture(unit, wanted)))
    assert photo.size == (SIDE, SIDE * 9 // 16)


def test_a_hanging_or_unplugged_camera_fails_the_photo_and_the_next_one_succeeds(box: TestBox, tmp_path: Path) -> None:
    """Through the camera's own process: it stays, or begins again, and nobody waits longer than the deadline."""
    control = tmp_path / "camera"
    control.write_text("")
    say(box)
    keeper = CameraKeeper(f"sim://camera?control={control}")
    photographer = Photographer(box, keeper.still, hours=24, deadline_s=2.5)
    order = book(box)

    def result() -> str:
        ask(box, order)
        assert photographer.step()
        found = of(box, order)
        assert found is not None
        return found.reason or found.state

    with running(keeper.run):
        wait_for(lambda: keeper.health().state is State.READY, "the camera")
        for fault in ("unplug", "hang"):
            control.write_text(fault)
            assert result() == "no_picture"
            control.write_text("")
            wait_for(lambda: keeper.health().state is State.READY, "the camera again")
            assert result() == "taken"


def test_a_picture_of_a_slow_camera_is_thrown_away(box: TestBox) -> None:
    say(box)
    order = book(box)

    def slow(_deadline_s: float) -> bytes:
        box.turn.advance(MINUTE_MS + 1)
        return STILL

    ask(box, order)
    assert Photographer(box, slow, hours=24).step()
    found = of(box, order)
    assert found is not None
    assert (found.state, found.reason) == ("failed", "too_late")
    with box.database.read() as db:
        assert db.exec_driver_sql("SELECT count(body) FROM photo").scalar() == 0


def test_a_picture_that_came_too_late_is_never_given_to_the_next_guest(box: TestBox) -> None:
    """The camera answers in order: what it owes from the wish before comes first."""
    say(box)
    order = book(box, 2)
    late, now = jpeg(Image.new("RGB", (64, 64), "red")), jpeg(Image.new("RGB", (64, 64), "blue"))
    answers = iter([None, late, now])

    def camera(_deadline_s: float) -> bytes:
        answer = next(answers)
        if answer is None:
            raise DeviceTimeout("The camera gave no picture in time.")
        return answer

    photographer = Photographer(box, camera, hours=24)
    ask(box, order)
    photographer.step()
    wanted = ask(box, order, 1).id
    photographer.step()
    red, _green, blue = opened(box.look(lambda unit: photos.picture(unit, wanted))).getpixel((9, 9))  # type: ignore[misc]
    assert blue > 200 > red


def test_garbage_from_the_camera_is_told_and_the_next_wish_is_met(box: TestBox) -> None:
    say(box)
    order = book(box, 2)
    answers = iter([b"garbage", STILL])
    photographer = Photographer(box, lambda _deadline_s: next(answers), hours=24)
    ask(box, order)
    ask(box, order, 1)
    assert photographer.step()
    assert photographer.step()
    assert not photographer.step()
    found = box.look(lambda unit: photos.of_tickets(unit, [each.id for each in order.tickets]))
    assert sorted(each.reason or each.state for each in found.values()) == ["taken", "unusable"]


def test_nothing_is_written_while_nothing_is_wanted(box: TestBox) -> None:
    before = box.database.commits
    assert not Photographer(box, lambda _deadline_s: STILL, hours=24).step()
    assert box.database.commits == before


def test_a_failing_disk_does_not_end_photos_for_the_evening(box: TestBox, monkeypatch: pytest.MonkeyPatch) -> None:
    say(box)
    order = book(box)
    tries: list[int] = []

    def failing(self: Photographer) -> bool:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("disk")
        return step(self)

    step = Photographer.step
    monkeypatch.setattr(Photographer, "step", failing)
    ask(box, order)
    photographer = Photographer(box, lambda _deadline_s: STILL, hours=24)

    def run(stop: threading.Event) -> None:
        photographer.run(stop)

    with running(run):
        wait_for(lambda: (found := of(box, order)) is not None and found.state == "taken", "the photo")
        assert count(box) == 1


def test_a_photo_asked_for_of_a_camera_that_times_out_fails_at_once(box: TestBox) -> None:
    say(box)
    order = book(box)

    def silent(_deadline_s: float) -> bytes:
        raise DeviceTimeout("The camera gave no picture in time.")

    ask(box, order)
    assert Photographer(box, silent, hours=24).step()
    found = of(box, order)
    assert found is not None
    assert (found.state, found.reason) == ("failed", "no_picture")
