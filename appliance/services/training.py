"""Training: whoever is signed in practises on a copy of everything. What they do there touches nothing that is real.

There is no flag that a use case must heed: they run as always, in a box whose database, key and wakes are not the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from appliance.domain.errors import LimitReached
from appliance.services import printing, staff
from appliance.services.box import Box, DeviceSigner, Unit
from appliance.services.staff_views import PrintJob
from appliance.store import documents, jobs, practice, records
from appliance.store.engine import open_database
from mqtt_bridge.protocol.messages import DeviceKey

MOST_AT_ONCE = 6


def begin(real: Box, token: str, folder: Path) -> str:
    """Have a sign-in practise from now on, on a fresh copy; returns the copy's name. Twice is once.

    Raises ``LimitReached`` where as many practise already as the disk should carry.
    """
    member = real.look(lambda unit: staff.authenticate(unit, token))
    if member.training:
        return member.training
    tidy(real, folder)
    if len(real.look(_names)) >= MOST_AT_ONCE:
        msg = f"{MOST_AT_ONCE} people are in training already. Ask one of them to end it."
        raise LimitReached(msg, "training")
    name = real.random(16).hex()

    def use_case(unit: Unit) -> None:
        records.set_training(unit.db, staff.hash_of(token), name)
        unit.audit(member.badge, "training_begin")

    # Noted first: a copy whose sign-in is not noted is tidied away.
    real.run(use_case)
    make_copy(real, folder, name)
    return name


def end(real: Box, token: str, folder: Path) -> None:
    """Have a sign-in do real work again; its copy is deleted."""
    member = real.look(lambda unit: staff.authenticate(unit, token))
    if not member.training:
        return

    def use_case(unit: Unit) -> None:
        records.set_training(unit.db, staff.hash_of(token), "")
        unit.audit(member.badge, "training_end")

    real.run(use_case)
    tidy(real, folder)


def tidy(real: Box, folder: Path) -> None:
    """Delete the copies of sign-ins that ended, in whatever way."""
    practice.drop_all_but(folder, real.look(_names))


def make_copy(real: Box, folder: Path, name: str) -> Path:
    """Write the copy ``name``, and return its file; one that is there already stays."""
    path = folder / f"{name}.db"
    if not path.exists():
        me, signer = real.identity, real.signer
        door = real.look(lambda unit: unit.device.door)
        own = DeviceKey(me.device, me.venue, door, signer.kid, signer.public.hex())
        practice.make(real.database, path, real.random, own)
    return path


def box_of(real: Box, path: Path, signer: DeviceSigner) -> Box:
    """Return the box to practise in; ``signer`` has a key that nobody knows.

    Its prints come out of the real printer, each marked as training; nobody else is woken.
    """
    database = open_database(path)
    made = replace(real, database=database, signer=signer, documents=documents.Cache(), wake=lambda _whom: None)
    return replace(made, wake=_printing(real, made))


def _printing(real: Box, copy: Box) -> Callable[[str], None]:
    def wake(whom: str) -> None:
        if whom != "desk":
            return
        waiting = copy.run(_take_jobs)
        for job in waiting:
            real.run(partial(_print, job=job))

    return wake


def _take_jobs(unit: Unit) -> list[PrintJob]:
    found = jobs.queued(unit.db)
    for row in found:
        jobs.change(unit.db, row.id, state="sent", changed_at_ms=unit.now.wall_ms)
    return [printing.view(row) for row in found]


def _print(unit: Unit, job: PrintJob) -> None:
    # The copy numbers its jobs by itself: what is printed again is known here by what it says.
    again = jobs.practised(unit.db, job.document) if job.reprint_of is not None else None
    jobs.add(unit.db, job.kind, job.document, unit.now, again, training=True)
    unit.wakes.add("desk")


def _names(unit: Unit) -> set[str]:
    return records.trainings(unit.db, unit.now)
