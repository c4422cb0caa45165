"""Binds what is plugged in to the places that the settings leave ``auto``; remembers it, so that lanes stay what they were."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import structlog

from appliance.desk.names import AUTO, NEEDED
from appliance.desk.plugged import Plugged, plugged
from appliance.domain.bindings import bind
from appliance.domain.hardware import family
from drivers.url import parse

# All places ask at each attempt to open; one look serves them all.
LOOK_EVERY_S = 1.0
_LONGEST_BYTES = 10_000
log = structlog.get_logger()


class Finder:
    """Knows the present device of each place; any thread may ask.

    ``places`` are names in the settings, in their order; ``named`` are addresses that the settings give to other places: what they lead to is
    never taken. ``memory`` is the file of what was bound before; without it nothing is remembered.
    """

    def __init__(
        self,
        places: Sequence[str],
        named: Iterable[str] = (),
        memory: Path | None = None,
        *,
        look: Callable[[], list[Plugged]] = plugged,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = tuple(places)
        self._named = frozenset(each for each in named if each and each != AUTO)
        self._memory = memory
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._bound = self._remembered()
        self._there: dict[str, Plugged] = {}
        self._notes: dict[str, str] = {}
        self._met: set[str] = set()
        self._looked_s = float("-inf")

    def at(self, place: str) -> Plugged | None:
        """The device that is plugged in for a place, or None."""
        with self._lock:
            self._look_if_due()
            return self._there.get(place)

    def note(self, place: str) -> str:
        """What is plugged in beside and is not used, and what to write to use it; said at the first place of its family."""
        return self._notes.get(family(place), "") if place == self._first(family(place)) else ""

    def expected(self, place: str) -> bool:
        """Whether somebody misses a device there: the first scanner and printer, and whatever was there since the desk started."""
        with self._lock:
            self._look_if_due()
            return place in NEEDED or place in self._met

    def _look_if_due(self) -> None:
        if self._clock() - self._looked_s >= LOOK_EVERY_S:
            self._look_around()
            self._looked_s = self._clock()

    def _look_around(self) -> None:
        try:
            mine = [each for each in self._look() if not self._is_named(each)]
        except OSError:
            # Something went while its entry was being read; the next look sees what is left.
            return
        before, there, notes = dict(self._bound), {}, {}
        for kind in dict.fromkeys(family(place) for place in self._places):
            usable = {each.device: each for each in mine if each.family == kind and not each.doubt}
            places = [place for place in self._places if family(place) == kind]
            bound = bind({place: before[place] for place in places if place in before}, places, list(usable))
            self._bound.update(bound)
            there.update({place: usable[device] for place, device in bound.items() if device in usable})
            notes[kind] = self._left_out(kind, mine, set(bound.values()))
        self._tell(there)
        self._there, self._notes = there, notes
        self._met |= set(there)
        if self._bound != before:
            self._remember()

    def _left_out(self, kind: str, mine: list[Plugged], bound: set[str]) -> str:
        words = []
        for each in mine:
            if each.family == kind and each.device not in bound:
                why = each.doubt or "all places have one"
                words.append(f'{each.words}, because {why}; to use it write "{each.address}" into the settings')
        return f"Plugged in and not used: {'. '.join(words)}." if words else ""

    def _tell(self, there: dict[str, Plugged]) -> None:
        for place in self._places:
            before, now = self._there.get(place), there.get(place)
            if before != now:
                found = now.words if now else ""
                log.info(
                    "device_found" if now else "device_gone", device=place, what=found or (before and before.words)
                )

    def _first(self, kind: str) -> str:
        return next((place for place in self._places if family(place) == kind), "")

    def _is_named(self, thing: Plugged) -> bool:
        return any(_leads_to(address, thing) for address in self._named)

    def _remembered(self) -> dict[str, str]:
        if self._memory is None:
            return {}
        try:
            told = json.loads(self._memory.read_text("utf-8")[:_LONGEST_BYTES])
        except (OSError, ValueError):
            return {}
        known = told.items() if isinstance(told, dict) else ()
        return {place: device for place, device in known if place in self._places and isinstance(device, str)}

    def _remember(self) -> None:
        """Write it beside and put it in place; a full disk costs the memory and nothing else."""
        if self._memory is None:
            return
        beside = self._memory.with_suffix(".new")
        with contextlib.suppress(OSError):
            beside.write_text(json.dumps(self._bound, indent=1, sort_keys=True) + "\n", "utf-8")
            beside.replace(self._memory)


def _leads_to(address: str, thing: Plugged) -> bool:
    """Whether an address of the settings is this very thing, be it by another name of its file or by its numbers."""
    url = parse(address)
    if thing.path and url.path and not url.scheme.endswith("+usb"):
        return os.path.realpath(url.path) == os.path.realpath(thing.path)
    if url.scheme.endswith("+usb") and thing.family == "printer":
        ids, _, serial = thing.device.partition("#")
        wanted = url.path.strip("/")
        return url.host == "any" or (url.host == ids.partition("@")[0] and wanted in {"", serial})
    return False
