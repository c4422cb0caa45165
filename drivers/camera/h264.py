"""An H.264 stream from single pictures, for cameras that have no encoder of their own (x264 through PyAV)."""

from __future__ import annotations

import importlib
from fractions import Fraction
from typing import Any

from PIL import Image

from drivers.camera.api import AccessUnit
from drivers.errors import MissingLibrary

FRAMES_PER_S = 15
KEY_EVERY_S = 2
MAX_WIDTH = 1280
_MICROSECONDS = 1_000_000


class Encoder:
    """`encode` gives the units of one picture; sizes are those of the first picture, scaled down to `MAX_WIDTH`.

    Raises `MissingLibrary` without PyAV (the extra `video`).
    """

    def __init__(self, frames_per_s: int = FRAMES_PER_S) -> None:
        try:
            self._av: Any = importlib.import_module("av")
        except ImportError as error:
            raise MissingLibrary(f"An H.264 stream needs PyAV (the extra 'video'): {error}.") from error
        self._frames_per_s = frames_per_s
        self._codec: Any = None
        self._number = 0

    def encode(self, picture: Image.Image) -> AccessUnit:
        """The unit of this picture: nothing is held back for later."""
        if self._codec is None:
            self._codec = self._opened(picture)
        frame = self._av.VideoFrame.from_image(picture.convert("RGB"))
        frame = frame.reformat(self._codec.width, self._codec.height, "yuv420p")
        frame.pts = self._number
        pts_us = self._number * _MICROSECONDS // self._frames_per_s
        self._number += 1
        packets = self._codec.encode(frame)
        data = b"".join(bytes(packet) for packet in packets)
        return AccessUnit(data, any(packet.is_keyframe for packet in packets), pts_us)

    def _opened(self, picture: Image.Image) -> Any:
        codec = self._av.CodecContext.create("libx264", "w")
        width = min(picture.width, MAX_WIDTH) // 2 * 2
        codec.width, codec.height = width, picture.height * width // picture.width // 2 * 2
        codec.pix_fmt = "yuv420p"
        codec.framerate = self._frames_per_s
        codec.time_base = Fraction(1, self._frames_per_s)
        codec.gop_size = self._frames_per_s * KEY_EVERY_S
        codec.thread_count = 1
        # Parameter sets before every key picture, whole pictures, nothing reordered.
        codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": "repeat-headers=1:annexb=1:scenecut=0",
        }
        codec.open()
        return codec
