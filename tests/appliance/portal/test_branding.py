"""An organiser's brand on the pages of a venue: a sheet of tokens under a name of its content, served for the catalogue's colours only."""

from __future__ import annotations

import re

import msgspec

from appliance.services import sync
from appliance.web.branding import sheet
from mqtt_bridge.protocol.catalogue import Brand
from tests.appliance.portal.conftest import Phone
from tests.support.box import TestBox, example_catalogue


def branded(box: TestBox, version: int, brand: Brand | None) -> None:
    catalogue = msgspec.structs.replace(example_catalogue(version=version), brand=brand)
    box.run(lambda unit: sync.apply_catalogue(unit, catalogue))


def sheets(page: str) -> list[str]:
    return re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)


def test_without_a_brand_pages_are_the_house_s(phone: Phone):
    page = phone.get("/")
    assert len(sheets(page)) == 1
    assert "<bdi>Marquee</bdi>" in page


def test_a_colour_adds_one_sheet_of_tokens_that_is_kept_for_good(phone: Phone, box: TestBox):
    branded(box, 2, Brand("Lantern <Collective>", "#0b5fff"))
    page = phone.get("/")
    assert "Lantern &lt;Collective&gt;</bdi>" in page
    assert " · Lantern &lt;Collective&gt;</title>" in page
    own = sheets(page)[-1]
    assert re.fullmatch(r"/static/brand-0b5fff\.[0-9a-f]{12}\.css", own)
    answer = phone.http.get(own)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    text = answer.text
    assert "--accent:#0b5fff" in text
    assert "url(" not in text
    assert "style=" not in page
    frame = re.search(r"--stage:(#[0-9a-f]{6})", text)
    assert frame
    assert f'<meta name="theme-color" content="{frame[1]}" media="(prefers-color-scheme: light)">' in page


def test_only_the_catalogue_s_own_colours_are_served(phone: Phone, box: TestBox):
    other = f"/static/{sheet('#123456').name}"
    assert phone.http.get(other).status_code == 404
    branded(box, 2, Brand(colour="#123456"))
    assert phone.http.get(other).status_code == 200
    assert phone.http.get(other.replace(".css", "0.css")).status_code == 404


def test_a_logo_stands_where_the_name_stood_and_keeps_it_for_who_cannot_see(phone: Phone, box: TestBox):
    branded(box, 2, Brand("Lanterns", logo="ab" * 32))
    assert f'<img src="/assets/{"ab" * 32}.webp" alt="Lanterns">' in phone.get("/")
