"""One HTML, three tiers: only the secure address has scripts, and what they need is content-addressed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from flask import Flask

from appliance.portal import WebSettings, create_app
from appliance.web import static_files
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


def test_all_scripts_of_guests_together_fit_a_crowded_hotspot():
    names = {*static_files.needed("guest.js"), *static_files.needed("taste.js"), *static_files.needed("sw.js")}
    sizes = {each.name: len(each.zipped) for each in static_files.files().values() if each.name in names}
    assert len(sizes) >= 7
    assert sum(sizes.values()) <= 20_000, sizes


def test_a_script_names_what_it_imports_by_content(phone: Phone):
    name, *imported = static_files.needed("guest.js")
    script = phone.http.get(f"/static/{name}").text
    assert {each.partition(".")[0] for each in imported} >= {"kept", "outbox", "fresh", "phone", "share", "taste"}
    assert '"./kept.js"' not in script
    assert all(phone.http.get(f"/static/{each}").status_code == 200 for each in imported)


def test_the_service_worker_is_served_at_the_secure_address_only(phone: Phone):
    assert phone.http.get("/sw.js").status_code == 404
    answer = phone.http.get("/sw.js", base_url=SECURE)
    assert answer.content_type.startswith("text/javascript")
    shell, version = (json.loads(line.partition(" = ")[2].rstrip(";")) for line in answer.text.splitlines()[:2])
    assert all(phone.http.get(each).status_code == 200 for each in shell)
    assert re.fullmatch("[0-9a-f]{12}", version)
    again = phone.http.get("/sw.js", base_url=SECURE, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_the_page_about_this_phone_says_elsewhere_where_a_phone_can_keep_something(phone: Phone):
    plain = phone.get("/phone")
    assert "Here your phone keeps nothing" in plain
    assert f'href="{SECURE}"' in plain
    assert "<script" not in plain
    secure = phone.http.get("/phone", base_url=SECURE).text
    assert '<script type="module"' in secure
    assert f'href="{SECURE}"' not in secure


def test_every_page_of_a_booking_is_there_at_the_secure_address_too(app: Flask):
    phone = Phone(app)
    browse = phone.http.get

    def secure(path: str) -> str:
        answer = browse(path, base_url=SECURE)
        assert answer.status_code == 200
        assert '<script type="module"' in answer.text
        return answer.text

    secure("/")
    secure("/events/river")
    phone.hold()
    secure(phone.path)
    held = phone.get(phone.path)
    phone.send(held, "/confirm")
    manage = secure(phone.path)
    assert " data-keep>" in manage
    shared = re.search(r'href="[^"]*(/tickets/[^"]+)" data-share', manage)
    assert shared is not None
    # Who may only look is asked before a phone keeps it.
    assert " data-keep" not in secure(shared[1])


def test_no_script_writes_markup_runs_text_or_listens_to_other_windows():
    """What people typed reaches a page as text only, whatever a script does with it."""
    dangerous = re.compile(
        rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:|"
        rb"window\.onmessage|addEventListener\(.message|postMessage"
    )
    found = {name: dangerous.findall(each.body) for name, each in static_files.files().items() if name.endswith(".js")}
    assert len(found) > 5
    assert {name: words for name, words in found.items() if words} == {}


def test_no_script_keeps_anything_under_a_name_from_outside():
    """Lists, sets and the browser's own store instead: no ``__proto__`` can become everybody's."""
    keyed = re.compile(rb"\w+\[[A-Za-z_.]+\]\s*(?:\|\||\?\?|\+)?=(?![=>])")
    found = {name: keyed.findall(each.body) for name, each in static_files.files().items() if name.endswith(".js")}
    # Its names are a list of its own.
    assert {name: words for name, words in found.items() if words} == {"passkey.js": [b"response[name] ="]}
