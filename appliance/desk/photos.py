"""Takes the photos that staff asked for, one at a time, small and with nothing in it but the picture.

The camera belongs to the desk; the pages ask by a row and a wake. A picture that comes too late is thrown away: by then somebody
else stands there.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from appliance.services import photos
from appliance.services.box import Box
from appliance.services.photos import Picture
from drivers.backoff import Backoff
from drivers.errors import DeviceError

if TYPE_CHECKING:
    from PIL import Image

SIDE = 480
SMALL_SIDE = 96
DEADLINE_S = 4.0
IDLE_S = 2.0
_LARGEST_STILL = 12_000_000
_QUALITIES = (82, 70, 55, 40, 25)
log = structlog.get_logger()


class Unusable(ValueError):
    """What the camera gave is no picture."""


class Photographer:
    """Waits for wishes; ``wake`` tells it that there is one. ``still`` gives a JPEG within its deadline or raises ``DeviceError``."""

    def __init__(
        self, box: Box, still: Callable[[float], bytes], *, hours: int, deadline_s: float = DEADLINE_S
    ) -> None:
        self._box = box
        self._still = still
        self._hours = hours
        self._deadline_s = deadline_s
        self._work = threading.Event()
        # A picture was asked for and did not come in time; it may still come.
        self._owed = False

    def wake(self) -> None:
        """Look for wishes now."""
        self._work.set()

    def run(self, stop: threading.Event) -> None:
        """Take photos until told to stop; call ``wake`` after setting ``stop`` to return at once."""
        failures = Backoff(first_s=1.0, max_s=30.0)
        while not stop.is_set():
            self._work.clear()
            try:
                pause_s = 0.0 if self.step() else IDLE_S
                failures.reset()
            except Exception:
                # A photo that cannot be recorded must not end photos for the evening.
                log.exception("photo_step_failed")
                pause_s = failures.next_s()
            if pause_s and not stop.is_set():
                self._work.wait(pause_s)

    def step(self) -> bool:
        """Take one photo if one is wanted; returns whether there was one."""
        # Reading takes no lock and wears no card; most of the time nothing is wanted.
        if not self._box.look(photos.anything_wanted):
            return False
        wanted = self._box.run(photos.claim)
        if wanted is None:
            return False
        try:
            picture = shrunk(self._picture())
        except DeviceError as error:
            log.warning("photo", state="failed", reason=str(error))
            self._box.run(lambda unit: photos.fail(unit, wanted, "no_picture"))
        except Unusable as error:
            log.warning("photo", state="failed", reason=str(error))
            self._box.run(lambda unit: photos.fail(unit, wanted, "unusable"))
        else:
            kept = self._box.run(lambda unit: photos.finish(unit, wanted, picture, self._hours))
            log.info("photo", state="taken" if kept else "thrown away")
        return True

    def _picture(self) -> bytes:
        if self._owed:
            # Perhaps the one that was late: it shows somebody else.
            self._still(self._deadline_s)
        self._owed = True
        picture = self._still(self._deadline_s)
        self._owed = False
        return picture


def shrunk(still: bytes) -> Picture:
    """Return a picture of at most ``SIDE`` pixels a side, and one of ``SMALL_SIDE``: upright, without any metadata.

    Raises ``Unusable``.
    """
    if len(still) > _LARGEST_STILL:
        raise Unusable(f"The picture has {len(still)} bytes.")
    picture = _read(still)
    return Picture(
        _written(picture, SIDE, photos.LARGEST_BYTES),
        _written(picture, SMALL_SIDE, photos.SMALL_BYTES),
    )


def _read(still: bytes) -> Image.Image:
    # Pictures are loaded by who takes some: most desks never do.
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(still), formats=("JPEG",)) as opened:
            # JPEG decodes to a half, a quarter or an eighth by itself, which takes a tenth of time and memory.
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unusable(f"The picture cannot be read ({type(error).__name__}).") from None


def _written(picture: Image.Image, side: int, most_bytes: int) -> bytes:
    from PIL import Image

    picture.thumbnail((side, side))
    # A copy of the pixels alone: whatever else was in the file stays behind.
    clean = Image.frombytes("RGB", picture.size, picture.tobytes())
    for quality in _QUALITIES:
        out = io.BytesIO()
        clean.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= most_bytes:
            return out.getvalue()
    raise Unusable("The picture cannot be made small enough.")
