"""Rigs for cameras: one that is open, and the hand that pulls its cable; another place adds one more generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from drivers import open_camera
from drivers.camera.api import Camera
from drivers.camera.sim import SimCamera


@dataclass
class CameraRig:
    """`hang` and `hold` are None where the rig cannot; `hold(FILE)` shows a picture to the lens."""

    camera: Camera
    unplug: Callable[[], None]
    replug: Callable[[], None]
    hang: Callable[[], None] | None = None
    hold: Callable[[Path], object] | None = None


def sim_rig(folder: Path) -> Iterator[CameraRig]:
    film = folder / "film.png"
    camera = open_camera(f"sim://camera?width=640&height=360&film={film}")
    assert isinstance(camera, SimCamera)
    yield CameraRig(
        camera,
        unplug=lambda: camera.set_fault("unplug"),
        replug=lambda: camera.set_fault(None),
        hang=lambda: camera.set_fault("hang"),
        hold=lambda picture: film.write_bytes(picture.read_bytes()),
    )
    camera.close()


RIGS: dict[str, Callable[[Path], Iterator[CameraRig]]] = {"sim": sim_rig}
