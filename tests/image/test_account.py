"""What a build tells of itself, and what the page makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from image import account, blockmap, bundle, cache, card, inventory, system
from image.inventory import Component
from image.plan import LAYOUT
from image.steps import Step
from tests.system import figures
from tests.system.built import tell_built

SECONDS = {"tools": 45.0, "base": 600.0, "program": 60.0, "system": 65.0, "card": 50.0, "bundle": 10.0}
NEEDS = {"program": ("tools",), "system": ("base", "program"), "card": ("system",), "bundle": ("system",)}
STEPS = [Step(name, name, NEEDS.get(name, ()), 1, lambda *_: None) for name in SECONDS]


@pytest.fixture
def have(tmp_path: Path) -> dict[str, Path]:
    """Folders of steps, as far as they are looked into."""
    store = cache.Cache(tmp_path / "cache")
    made = {name: store.place(name, "key") for name in SECONDS}
    for name, place in made.items():
        place.mkdir(parents=True)
        store.took(name, place, SECONDS[name])
    (made["card"] / f"{card.IMAGE}.xz").write_bytes(bytes(1_500_000))
    image = made["card"] / card.IMAGE
    image.write_bytes(bytes(4 * blockmap.BLOCK))
    (made["card"] / f"{card.IMAGE}.bmap").write_text(blockmap.document(image, {0, 1, 3}))
    (made["bundle"] / bundle.BUNDLE).write_bytes(b"signed")
    (made["system"] / system.ROOT).write_bytes(bytes(2_000_000))
    components = [Component("deb", "nginx", "1", "arm64", ("BSD",)), Component("pypi", "flask", "3")]
    (made["system"] / system.BILL).write_text(inventory.bill(components, "marquee", "1", 0))
    return made


def told(have: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch, equal_from: str = "") -> dict[str, str]:
    """What is told of such a build: figure -> value."""
    (folder / account.ACCOUNT).write_text(json.dumps(account.account(STEPS, have, LAYOUT, "1", equal_from)))
    file = folder / "figures"
    file.unlink(missing_ok=True)
    monkeypatch.setenv(figures.FILE_VARIABLE, str(file))
    tell_built(folder)
    assert {each.part for each in figures.read(file)} == {"image"}
    return {each.name: each.value for each in figures.read(file)}


def test_a_build_tells_sizes_contents_and_the_time_of_its_steps(
    have: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(have, tmp_path, monkeypatch) == {
        "compressed image": "1.5 MB",
        "signed bundle": "0.0 MB",
        "root file system, packed": "2.0 MB in a slot of 1 GiB",
        "blocks that a card needs": f"0 MB of {LAYOUT.size / 1e9:.1f} GB",
        "inside": "2 packages, 1 with a declared licence",
        "all steps from the cached base": "2:55",
        "full rebuild": "11:55",
    }


def test_times_that_nobody_wrote_down_and_comparisons_that_nobody_made_are_not_told(
    have: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (have["base"] / "seconds").unlink()
    names = told(have, tmp_path, monkeypatch)
    assert "all steps from the cached base" in names
    assert "full rebuild" not in names
    assert "two makings from one base" not in names
    assert "two makings from one base" in told(have, tmp_path, monkeypatch, "base")


def test_a_build_of_before_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(figures.FILE_VARIABLE, str(tmp_path / "figures"))
    tell_built(tmp_path)
    assert figures.read(tmp_path / "figures") == []
