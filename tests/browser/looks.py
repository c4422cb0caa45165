"""What a reader's eye and finger need, measured in the page: contrast, size of targets, nothing cut off at the side."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

# Contrast by WCAG 2.2 (relative luminance, 1.4.3) of every text against the nearest painted background behind it.
_CONTRAST = """() => {
  const parse = text => { const m = text.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const linear = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest("svg, .hidden, .skip, script, option") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""

_TARGETS = """() => [...document.querySelectorAll("button, select, input:not([type=hidden]), a.button, nav a")]
  .filter(each => each.checkVisibility())
  .map(each => [each.textContent.trim().slice(0, 30) || each.name, (each.closest("label") || each).getBoundingClientRect()])
  .filter(([_, box]) => box.height < 48 || box.width < 44)
  .map(([name, box]) => `${name}: ${box.width.toFixed(0)} x ${box.height.toFixed(0)}`)"""

_WIDE = """() => {
  const most = document.documentElement.clientWidth;
  const inside = each => !each.closest(".chips, .dates, .scroll, .skip, .hidden");
  const cut = ({left, right}) => right > most + 1 || left < -1;
  const out = [...document.body.querySelectorAll("*")].filter(each => inside(each) && cut(each.getBoundingClientRect()));
  return document.documentElement.scrollWidth > most || out.length
    ? [`${document.documentElement.scrollWidth} > ${most}`, ...out.slice(0, 5).map(each => each.outerHTML.slice(0, 80))] : [];
}"""

_NAMES = """() => [
  ...[...document.querySelectorAll("input:not([type=hidden]), select")].filter(each => !each.labels.length).map(each => `no label: ${each.name}`),
  ...[...document.querySelectorAll("img")].filter(each => !each.hasAttribute("alt")).map(each => `no alt: ${each.src}`),
  ...(document.querySelectorAll("h1").length === 1 ? [] : ["not one h1"]),
  ...(document.querySelectorAll("main").length === 1 ? [] : ["not one main"]),
  ...[...document.querySelectorAll("[id]")].map(each => each.id).filter((id, at, all) => all.indexOf(id) !== at).map(id => `id twice: ${id}`),
]"""


def complaints(page: Page) -> dict[str, Any]:
    """Everything wrong with the page as shown, by kind; empty when it is fine."""
    # A page that a click just led to may have no body yet.
    page.wait_for_load_state()
    found = {
        "contrast": page.evaluate(_CONTRAST),
        "targets": page.evaluate(_TARGETS),
        "wider than the screen": page.evaluate(_WIDE),
        "names": page.evaluate(_NAMES),
    }
    return {kind: each for kind, each in found.items() if each}
