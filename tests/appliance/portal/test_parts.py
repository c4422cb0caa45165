"""The small parts of pages: countdown, QR code, static files."""

from __future__ import annotations

import gzip
import itertools
import re
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from appliance.web import qr, static_files
from appliance.web.countdown import countdown
from tests.appliance.portal.conftest import Phone


def shown(clock, after_s: int) -> str:
    """What the columns show ``after_s`` seconds after the page was opened."""
    digits = []
    for column in clock.columns:
        step = ((column.offset_s + after_s) % column.cycle_s) * len(column.numerals) // column.cycle_s
        digits.append(str(column.numerals[step]))
    hours = [f"{each}:" for each in digits[:-4]]
    return "".join(hours) + "{}{}:{}{}".format(*digits[-4:])


@pytest.mark.parametrize("left_s", [1, 59, 60, 61, 543, 600, 1799, 3599])
def test_the_countdown_shows_every_second_until_zero(left_s: int):
    clock = countdown(left_s * 1000)
    for after_s in range(left_s + 1):
        left = left_s - after_s
        assert shown(clock, after_s) == f"{left // 60:02d}:{left % 60:02d}"


@pytest.mark.parametrize("left_s", [3600, 3601, 7199, 7200, 36_000, 86_400])
def test_from_an_hour_on_the_clock_has_hours_and_is_over_when_the_time_is(left_s: int):
    """An offer may last a day."""
    clock = countdown(left_s * 1000)
    assert clock.left_s == left_s
    for after_s in range(left_s + 1):
        hours, left = divmod(left_s - after_s, 3600)
        assert shown(clock, after_s) == f"{hours}:{left // 60:02d}:{left % 60:02d}"


@pytest.mark.parametrize("left_s", [60, 3600, 36_000, 86_400])
def test_the_clock_fits_its_drawing_and_nothing_of_it_overlaps(left_s: int):
    """Numerals are some 24 wide; the drawing of 320 enlarges them."""
    clock = countdown(left_s * 1000)
    hours = [each.x for each in clock.columns if each.hours]
    ends = sorted(hours + [each.x + 24 for each in clock.columns if not each.hours])
    assert clock.width * 1.72 <= 320
    assert ends[-1] == clock.width
    assert all(after - before >= 24 for before, after in itertools.pairwise(ends))
    assert len(clock.colons) == 1 + len(hours)


RECEIPT, LINK = "MQ1:" + "6BFOXN%TSMAHN-H" * 20, "http://tickets.home.arpa/tickets/loH6F5Bkq0Bp5hdzJEVq6-JgmAwo_c6"
VERSION_11 = 61


@pytest.mark.parametrize("text", [RECEIPT, LINK])
def test_a_qr_code_keeps_its_quiet_zone_and_fits_version_11(text: str):
    drawn = qr.svg(text, "a <ticket>")
    assert 'aria-label="a &lt;ticket&gt;"' in drawn
    assert "style=" not in drawn
    (side,) = {int(word) for word in re.findall(r'viewBox="0 0 (\d+) \d+"', drawn)}
    assert side <= VERSION_11 + 2 * qr.QUIET_ZONE
    lines = drawn.partition('stroke="#000"')[2]
    assert min(int(x) for x in re.findall(r"M(\d+) \d", lines)) == qr.QUIET_ZONE
    assert min(int(y) for y in re.findall(r"M\d+ (\d+)\.5", lines)) == qr.QUIET_ZONE
    assert read(lines, side) == text
    assert qr.svg(text, "a <ticket>") == drawn


@pytest.mark.parametrize("text", ["", "A" * 4000])
def test_what_no_qr_code_can_hold_is_said(text: str):
    with pytest.raises(ValueError, match=r"empty|too long"):
        qr.svg(text, "nothing")


def test_a_link_which_is_a_right_is_not_kept():
    before = qr._kept.cache_info().misses
    qr.svg(LINK, "a link")
    assert qr._kept.cache_info().misses == before


def read(lines: str, side: int) -> str:
    """What a scanner reads in strokes of one module's height."""
    scale, pixels = 4, bytearray(b"\xff" * side * side)
    x = y = 0
    for word, first, second, length in re.findall(r"([Mm])(\d+) (\d+)(?:\.5)?h(\d+)", lines):
        x, y = (int(first), int(second)) if word == "M" else (x + int(first), y)
        pixels[y * side + x : y * side + x + int(length)] = bytes(int(length))
        x += int(length)
    picture = Image.frombytes("L", (side, side), bytes(pixels)).resize((side * scale, side * scale))
    (found,) = zxingcpp.read_barcodes(picture)
    return str(found.text)


def test_static_files_are_kept_for_good_under_a_name_with_their_hash(phone: Phone):
    page = phone.get("/")
    found = re.search(r'href="(/static/marquee\.[0-9a-f]{12}\.css)"', page)
    assert found is not None
    answer = phone.http.get(found[1], headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.GzipFile(fileobj=BytesIO(answer.data)).read().startswith(b":root{color-scheme:light dark;")
    assert phone.http.get(found[1].replace(".css", "0.css")).status_code == 404


def test_a_tidied_sheet_means_what_it_meant():
    sheet = """/* a remark */
    .a :focus-visible,
    .b > c { margin: calc(1px + 2px) auto; content: "▸" }
    @media (min-width: 48rem) { .d { color: var(--x); } }
    """
    tidy = '.a :focus-visible,.b>c{margin:calc(1px + 2px) auto;content:"▸"}@media (min-width:48rem){.d{color:var(--x)}}'
    assert static_files.tidied(sheet) == tidy


def test_the_style_sheet_and_the_script_are_small():
    files = static_files.files()
    assert len(files["marquee.css"].zipped) < 10_000
    assert len(files["staff.js"].zipped) < 2_500
