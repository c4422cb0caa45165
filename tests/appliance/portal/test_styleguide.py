"""The style guide: every part in both schemes and directions, only where it was asked for."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.portal import WebSettings, create_app
from tests.appliance.portal.conftest import Phone
from tests.support.box import TestBox


def test_a_venue_has_none(phone: Phone):
    assert phone.http.get("/styleguide").status_code == 404


def test_it_shows_both_schemes_and_directions_with_tokens_of_their_own(box: TestBox, tmp_path: Path):
    guide = Phone(create_app(box, WebSettings(data=tmp_path, styleguide=True)))
    page = guide.get("/styleguide")
    assert re.findall(r'class="sample in-(\w+)" lang="(\w+)" dir="(\w+)"', page) == [
        ("light", "en", "ltr"),
        ("light", "ar", "rtl"),
        ("dark", "en", "ltr"),
        ("dark", "ar", "rtl"),
    ]
    assert "style=" not in page
    for part in ("primary", "clock", "ticket void", "note bad", "badge few", "field", "lines"):
        assert page.count(f'class="{part}') >= 4, part
    address = re.search(r'href="(/styleguide/guide\.[0-9a-f]{12}\.css)"', page)
    assert address
    answer = guide.http.get(address[1])
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert ".in-dark{" in answer.text
    assert ".swatch-accent-soft{background:var(--accent-soft)}" in answer.text
    assert guide.http.get("/styleguide/other.css").status_code == 404
