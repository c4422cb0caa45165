"""Which box a request works in: the real one, or the copy that whoever is signed in practises on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from flask import g

from appliance.domain.errors import Unauthorised
from appliance.services import staff, training
from appliance.services.box import Box
from appliance.services.staff_views import StaffMemberView
from appliance.web.site import Site, real_site
from mqtt_bridge.keys import KeyFile

FOLDER = "training"
_opened: OrderedDict[Path, Box] = OrderedDict()
_lock = threading.Lock()


def member_of(token: str) -> StaffMemberView:
    """Return whose sign-in this is, and have the rest of the request work in the box that it is for.

    Raises ``Unauthorised``. A copy that got lost is made anew: whoever thinks they practise must never sell.
    """
    here = real_site()
    member = here.box.look(lambda unit: staff.authenticate(unit, token))
    g.practice = _box(here, member.training) if member.training else None
    return member


def require(token: str, member: StaffMemberView) -> None:
    """Raise ``Unauthorised`` unless a sign-in still is as it was: valid, and in the same box.

    For what goes on answering after its request began.
    """
    if real_site().box.look(lambda unit: staff.authenticate(unit, token)) != member:
        raise Unauthorised("This sign-in began or ended training.")


def begin(token: str) -> None:
    """Have a sign-in practise from the next request on; raises ``LimitReached``."""
    here = real_site()
    training.begin(here.box, token, folder(here))


def end(token: str) -> None:
    """Have a sign-in do real work from the next request on."""
    here = real_site()
    training.end(here.box, token, folder(here))


def tidy() -> None:
    """Delete the copies of sign-ins that ended."""
    here = real_site()
    training.tidy(here.box, folder(here))


def folder(here: Site) -> Path:
    """Where this device's copies are."""
    return here.settings.data / FOLDER


def _box(here: Site, name: str) -> Box:
    path = folder(here) / f"{name}.db"
    with _lock:
        box = _opened.get(path)
        if box is None or not path.exists():
            training.make_copy(here.box, folder(here), name)
            box = training.box_of(here.box, path, KeyFile(path.with_suffix(".pem")))
            _opened[path] = box
        _opened.move_to_end(path)
        while len(_opened) > training.MOST_AT_ONCE:
            _opened.popitem(last=False)[1].database.close()
        return box
