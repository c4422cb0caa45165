"""Counts who looks at an event, where no proxy in front tells of it."""

from __future__ import annotations

from appliance.services import conversion
from appliance.services.conversion import Visit
from appliance.web import clients
from appliance.web.site import site


def count(event: str) -> None:
    """Count this phone once; a full disk or a copy for training counts nobody, and everybody sees the page."""
    here = site()
    if here.settings.visits_told or not here.box.has_room():
        return
    visit = Visit(event, *clients.visit(here))
    if here.box.look(lambda unit: conversion.is_new(unit, visit)):
        here.box.run(lambda unit: conversion.seen(unit, [visit]))
