"""A site without a box, for what only looks at requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask

from appliance.web.leases import Leases
from appliance.web.site import Site, WebSettings
from appliance.web.tokens import KEY_BYTES, Tokens


@pytest.fixture
def app() -> Flask:
    return Flask("test")


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """A site elsewhere than on a hotspot."""
    nobody = cast(Any, None)
    return Site(nobody, WebSettings(tmp_path), Tokens(bytes(KEY_BYTES)), Leases(None))
