"""Which image runs, and whether an update did not stay: learned from what the slots' keeper shows, look by look.

The keeper says how the slots are now. That something was tried and is gone can only be told by who remembers how they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from appliance.domain.slots import Slot, State


class Shown(Protocol):
    """What the keeper shows: the slot that runs (empty where the firmware is silent), both choices, and the marks."""

    @property
    def running(self) -> str:
        """The slot that runs."""
        ...

    @property
    def default(self) -> str:
        """The slot that boots by itself."""
        ...

    @property
    def next(self) -> str:
        """The slot of the next orderly reboot."""
        ...

    @property
    def states(self) -> Mapping[Slot, State]:
        """How each slot is marked."""
        ...

    @property
    def too_old(self) -> tuple[Slot, ...]:
        """Slots whose program cannot open the database."""
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept across boots: the image of each slot as far as it ran, the slot that ran last, and a trial that is asked for or runs.

    ``went_back`` is the version of the update that did not stay, empty if it never ran so far; None where none was lost.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    slot: str = ""
    tried: str = ""
    tried_boot: str = ""
    went_back: str | None = None


def slot_of(shown: Shown) -> str:
    """Return the slot that runs; a silent firmware boots the default."""
    return shown.running or shown.default


def looked(memory: Memory, shown: Shown, image: str, boot_id: str) -> Memory:
    """Return what is known after another look, in the boot ``boot_id`` of the version ``image``."""
    here = slot_of(shown)
    other: Slot = "B" if here == "A" else "A"
    now = replace(memory, slot=here, versions={**memory.versions, here: image})
    if here != shown.default:
        return replace(now, tried=here, tried_boot=boot_id, went_back=None)
    if shown.next != here:
        # It was overwritten just now, so nobody knows yet what is in it.
        kept = {slot: version for slot, version in now.versions.items() if slot != other}
        return replace(now, versions=kept, tried=other, tried_boot=boot_id, went_back=None)
    settled = replace(now, tried="", tried_boot="")
    if memory.tried == here or shown.states.get(other) == "good":
        return replace(settled, went_back=None)
    # In the same boot the asking was taken back; in another one it was tried, or a power cut forgot it: it did not stay.
    lost = memory.tried == other and memory.tried_boot != boot_id
    given_up = not memory.tried and memory.slot == other
    return replace(settled, went_back=now.versions.get(other, "")) if lost or given_up else settled
