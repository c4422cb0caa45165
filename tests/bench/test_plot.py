"""The chart is well-formed, says what its axes are, and names every line."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from bench.plot import Point, Series, chart

SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_names_its_axes_positions_and_lines() -> None:
    lines = [Series(name, (Point(0.5, 0.4, 0.6), Point(0.9, 0.8, 1.0))) for name in ("ours", "theirs & others")]
    root = ET.fromstring(chart("Title", "down", "sold", ["20%", "50%"], lines, top=1.0))
    texts = {each.text for each in root.iter(f"{SVG}text")}
    assert {"Title", "down", "sold", "20%", "50%", "ours", "theirs & others", "0.0", "1.0"} <= texts
    assert "prefers-color-scheme:dark" in (root.findtext(f"{SVG}style") or "")
    assert len(list(root.iter(f"{SVG}polyline"))) == 2


def test_a_higher_figure_is_drawn_higher_and_nothing_leaves_the_frame() -> None:
    lines = [Series("one", (Point(0.1, 0.0, 0.2), Point(2.0, 1.9, 2.1)))]
    root = ET.fromstring(chart("t", "x", "y", ["a", "b"], lines, top=1.0))
    points = [pair.split(",") for pair in next(root.iter(f"{SVG}polyline")).attrib["points"].split()]
    (_, low), (_, high) = points
    assert float(high) < float(low)
    assert float(high) >= 0
