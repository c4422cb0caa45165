"""Which device belongs where, when the desk finds its devices by itself: pure, and stable while cables come and go.

A device is ``model@socket`` or ``model#serial``; a place is its name in the settings, such as ``scanner_2``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def bind(before: Mapping[str, str], places: Sequence[str], present: Sequence[str]) -> dict[str, str]:
    """Return what each place belongs to, after ``before``, where ``present`` are plugged in (in the order of their sockets).

    What is unplugged keeps its place until something else takes it. A newcomer takes the place of an unplugged one of its own model,
    which it most likely is or replaces; else a place nobody ever had; else that of an unplugged one. What finds no place is left out.
    """
    after = {place: before[place] for place in places if place in before}
    for device in present:
        if device not in after.values():
            place = _place_for(device, after, places, present)
            if place is not None:
                after[place] = device
    return after


def _place_for(device: str, bound: Mapping[str, str], places: Sequence[str], present: Sequence[str]) -> str | None:
    gone = [place for place in places if place in bound and bound[place] not in present]
    alike = [place for place in gone if model(bound[place]) == model(device)]
    free = [place for place in places if place not in bound]
    return next(iter((*alike, *free, *gone)), None)


def model(device: str) -> str:
    """The part that all devices of a kind share."""
    return re.split("[@#]", device, maxsplit=1)[0]
