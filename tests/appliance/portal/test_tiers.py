"""One HTML, three tiers: only the secure address has scripts, and what they need is content-addressed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from appliance.portal import WebSettings, create_app
from appliance.web.tiers import origin
from tests.appliance.portal.conftest import Phone
from tests.support.box import TestBox

SECURE = "https://hall.example.org"


@pytest.fixture
def app(tmp_path: Path, box: TestBox) -> Flask:
    """The portal of a venue that also has a secure address."""
    made = create_app(box, WebSettings(data=tmp_path, secure_url=SECURE))
    made.testing = True
    return made


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://hall.example.org", "https://HALL.example.org:443/", True),
        ("http://localhost:8080", "http://localhost:8080/", True),
        ("https://hall.example.org", "http://hall.example.org/", False),
        ("https://hall.example.org", "https://hall.example.org.evil.net/", False),
        ("https://hall.example.org", "https://hall.example.org:8443/", False),
    ],
)
def test_addresses_are_the_same_where_scheme_host_and_port_are(one: str, other: str, same: bool):
    assert (origin(one) == origin(other)) is same


@pytest.mark.parametrize("base", ["http://hall.example.org", "http://192.168.4.1", "https://elsewhere.example.org"])
def test_pages_at_any_other_address_have_no_script_and_no_manifest(phone: Phone, base: str):
    for path in ("/", "/events/river"):
        page = phone.http.get(path, base_url=base).text
        assert "<script" not in page
        assert "manifest" not in page


def test_the_manifest_and_its_icons_are_kept_for_good(phone: Phone):
    page = phone.http.get("/", base_url=SECURE).text
    where = re.search(r'rel="manifest" href="(/static/site\.[0-9a-f]{12}\.webmanifest)"', page)
    assert where is not None
    answer = phone.http.get(where[1])
    assert answer.content_type == "application/manifest+json"
    manifest = json.loads(answer.text)
    # Shown in the browser as ever: a page that asks to be installed stands between a guest and the ticket.
    assert manifest["display"] == "browser"
    for icon in manifest["icons"]:
        found = phone.http.get(f"/static/{icon['src'].removeprefix('./')}")
        assert found.status_code == 200
        assert found.content_type == icon["type"]
        assert "immutable" in found.headers["Cache-Control"]
