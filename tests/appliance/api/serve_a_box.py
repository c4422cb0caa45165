"""Serves the box of the tests with two real workers; arguments: folder, port."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from flask import Flask

from appliance.portal import WebSettings, create_app
from appliance.web.server import Server
from tests.support.box import HALL, OPEN_LIMITS, ROOM, example_catalogue, make_box


def load() -> Flask:
    folder = Path(sys.argv[1])
    box = make_box(folder, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: 25, HALL: 10}, seed=os.getpid())
    return create_app(box, WebSettings(folder))


if __name__ == "__main__":
    Server(load, bind=f"127.0.0.1:{sys.argv[2]}", workers=2, threads=8).run()
