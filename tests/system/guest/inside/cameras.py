"""Cameras that the guest's kernel (vivid) and libcamera (its virtual camera) believe in."""

from __future__ import annotations

import contextlib
import importlib
import mmap
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import segno
from linuxpy.video import device as v4l2
from PIL import Image

from drivers import DeviceTimeout, open_camera
from drivers.camera.api import Camera
from drivers.camera.v4l2 import BUFFERS
from tests.drivers.camera_rigs import CameraRig
from tests.drivers.patience import eventually
from tests.system.guest.inside.gadgets import modprobe

VIVID = Path("/sys/bus/platform/drivers/vivid")
VIVID_PATH = Path("/dev/v4l/by-path/platform-vivid.0-video-index0")
"""The name that udev gives the camera, whatever number it has."""
VIRTUAL = Path("/usr/share/libcamera/pipeline/virtual/virtual.yaml")
FILM = Path("/run/film/0.jpg")
HELD = "MQ1:6BF+70790T9WJWG.FKY*4GO0/$%" * 6
SIZE = (1280, 720)
COLOUR = (200, 80, 40)


def vivid_rig(_folder: Path) -> Iterator[CameraRig]:
    """A USB camera as far as V4L2 goes; what it films is the kernel's own test pattern."""
    _plug_vivid()
    camera = open_camera(f"v4l2://{VIVID_PATH}?width=640&height=360")
    yield CameraRig(camera, unplug=_unplug_vivid, replug=_plug_vivid, hang=lambda: _drop_all_frames(camera))
    camera.close()
    _unplug_vivid()


def _plug_vivid() -> None:
    modprobe("vivid", "n_devs=1", "node_types=0x1")
    if not (VIVID / "vivid.0").exists():
        (VIVID / "bind").write_text("vivid.0")
    if not eventually(VIVID_PATH.exists):
        raise TimeoutError(f"{VIVID_PATH} did not appear")


def _unplug_vivid() -> None:
    if (VIVID / "vivid.0").exists():
        (VIVID / "unbind").write_text("vivid.0")
    if not eventually(lambda: not VIVID_PATH.exists()):
        raise TimeoutError(f"{VIVID_PATH} did not go")


def _drop_all_frames(camera: Camera) -> None:
    """Let the camera give no picture any more, as one whose firmware hangs."""
    with v4l2.Device(VIVID_PATH) as device:
        found = next(each for each in device.controls.values() if each.name == "Percentage of Dropped Buffers")
        found.value = 100
    # Those that were filled before are still to be had.
    with contextlib.suppress(DeviceTimeout):
        for _ in range(2 * BUFFERS):
            camera.gray(1.0)


def film() -> None:
    """Give libcamera a virtual camera before whose lens somebody holds the code ``HELD``; it reads that once per process."""
    FILM.parent.mkdir(exist_ok=True)
    code = FILM.with_suffix(".png")
    segno.make_qr(HELD, error="m").save(str(code), scale=6, border=4)
    scene = Image.new("RGB", SIZE, COLOUR)
    held = Image.open(code).convert("RGB")
    scene.paste(held, ((SIZE[0] - held.width) // 2, (SIZE[1] - held.height) // 2))
    code.unlink()
    scene.save(FILM, quality=92)
    VIRTUAL.parent.mkdir(parents=True, exist_ok=True)
    VIRTUAL.write_text(f"""\
"Virtual0":
  supported_formats:
  - width: {SIZE[0]}
    height: {SIZE[1]}
    frame_rates: [15, 30]
  - width: 640
    height: 360
    frame_rates: [15, 30]
  frames:
    path: "{FILM.parent}/"
  location: "CameraLocationFront"
  model: "Virtual film"
""")


def adapt_library() -> None:
    """Let picamera2 take a camera that is no board's.

    Three things of it stay out: previews on a screen, whose library is in no archive; the list of raw formats, which a virtual camera lacks; and
    how many bytes of a frame the camera says are used, which this one leaves at none.
    """
    formats = ("RGB888", "BGR888", "XRGB8888", "XBGR8888", "ABGR8888", "YUV420", "YVU420", "NV12")
    screens = types.ModuleType("pykms")
    screens.PixelFormat = types.SimpleNamespace(**{each: each for each in formats})  # type: ignore[attr-defined]
    sys.modules.setdefault("pykms", screens)
    library = importlib.import_module("picamera2")
    library.Picamera2._get_raw_modes = lambda _camera: [{"format": "NV12", "size": SIZE}]
    sync = importlib.import_module("picamera2.allocators.allocator").Sync
    sync.__enter__, sync.__exit__ = _map_frame, _let_go_of_frame


def _map_frame(sync: Any) -> mmap.mmap:
    planes = sync._Sync__fb.planes
    sync._Sync__mm = mmap.mmap(planes[0].fd, max(each.offset + each.length for each in planes))
    return sync._Sync__mm


def _let_go_of_frame(sync: Any, *_error: object) -> None:
    # x264 still looks at the frame before; it is unmapped with the last who does.
    with contextlib.suppress(BufferError):
        sync._Sync__mm.close()


def virtual_rig() -> Iterator[CameraRig]:
    """The real picamera2 over the real libcamera; nobody can pull its cable."""
    adapt_library()
    film()
    begun_s = time.monotonic()
    camera = open_camera(f"picamera2://0?width={SIZE[0]}&height={SIZE[1]}&memory=libcamera")
    print(f"opened in {time.monotonic() - begun_s:.1f} s")
    yield CameraRig(camera, unplug=lambda: None, replug=lambda: None)
    camera.close()
