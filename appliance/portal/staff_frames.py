"""Pictures of a staff phone's camera, read here where its browser cannot read codes itself; the code goes back, no picture is kept."""

from __future__ import annotations

import json
from typing import cast

from flask import Blueprint, Response, current_app, g, request
from flask.blueprints import BlueprintSetupState

from appliance.domain.errors import Invalid
from appliance.services.staff import hash_of
from appliance.web.bodies import JSON
from appliance.web.frames import LARGEST_BYTES, Frames
from appliance.web.site import site

_FRAMES = "marquee.frames"


def register(blueprint: Blueprint) -> None:
    """Serve the one address below ``blueprint``."""
    blueprint.record(_make_frames)
    blueprint.add_url_rule("/frames", "frame", read, methods=["POST"])


def _make_frames(state: BlueprintSetupState) -> None:
    state.app.extensions[_FRAMES] = Frames()


def read() -> Response:
    """Return the code in the picture ``frame`` as JSON, empty if there is none."""
    file = request.files.get("frame")
    if file is None:
        raise Invalid("There is no picture.", field="frame")
    frames = cast("Frames", current_app.extensions[_FRAMES])
    code = frames.read(file.read(LARGEST_BYTES + 1), hash_of(g.token), site().box.clock().boot_ms)
    return Response(json.dumps({"code": code}), content_type=JSON)
