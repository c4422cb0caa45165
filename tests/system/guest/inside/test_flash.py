"""``marquee flash`` onto a removable disk of the kernel's (scsi_debug), which the kernel itself can lock, protect and lose."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.cli import main
from tests.support.cards import SIZE, Image, make_image, mapped_part
from tests.system.guest.inside.gadgets import modprobe

PRETENDED = Path("/sys/bus/pseudo/drivers/scsi_debug")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return make_image(tmp_path_factory.mktemp("image"), formatted=False)


@pytest.fixture
def card(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A card of 8 MB in a reader, with the module's options of the test."""
    before = set(Path("/sys/block").glob("sd*"))
    modprobe("scsi_debug", "removable=1", "dev_size_mb=8", "delay=0", *getattr(request, "param", ()))
    until = time.monotonic() + 30
    while not (new := set(Path("/sys/block").glob("sd*")) - before) or not Path("/dev", min(new).name).exists():
        assert time.monotonic() < until, "no card appeared"
        time.sleep(0.05)
    yield Path("/dev") / min(new).name
    subprocess.run(["udevadm", "settle"], check=False)
    subprocess.run(["modprobe", "-r", "scsi_debug"], check=True)


def flash(made: Image, card: Path) -> int:
    return main(["flash", str(made.packed), str(card), "--no-provisioning", "--yes"])


def test_a_card_in_a_reader_is_listed_and_written(card: Path, made: Image, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flash", "--list"]) == 0
    assert any(
        line.startswith(f"{card} ") and "ready to be flashed" in line for line in capsys.readouterr().out.splitlines()
    )
    assert flash(made, card) == 0
    with card.open("rb") as found:
        data = found.read(SIZE)
    assert mapped_part(data) == mapped_part(made.data)
    assert data[:512] == made.data[:512]


def test_a_card_that_is_in_use_is_refused(card: Path, made: Image, capsys: pytest.CaptureFixture[str]) -> None:
    """As swap, which the guest can make; a mounted one is told by the same list."""
    subprocess.run(["mkswap", card], check=True)
    subprocess.run(["swapon", card], check=True)
    try:
        assert flash(made, card) == 1
        assert f"in use ({card.name} as swap)" in capsys.readouterr().err
    finally:
        subprocess.run(["swapoff", card], check=True)
    assert flash(made, card) == 0


@pytest.mark.parametrize("card", [["wp=1"]], indirect=True)
def test_a_card_that_is_write_protected_is_refused(card: Path, made: Image, capsys: pytest.CaptureFixture[str]) -> None:
    assert flash(made, card) == 1
    assert "write-protected" in capsys.readouterr().err


@pytest.mark.parametrize("card", [["virtual_gb=1", "dev_size_mb=1"]], indirect=True)
def test_a_card_that_says_it_is_larger_than_it_is_is_found_out(
    card: Path, made: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gigabyte by its own word, with room for one megabyte that shows up again and again."""
    assert flash(made, card) == 1
    assert "does not keep what was written to it" in capsys.readouterr().err
    with card.open("rb") as found:
        assert found.read(512)[510:] != b"\x55\xaa"


def test_the_disk_that_the_computer_runs_from_is_refused(made: Image, capsys: pytest.CaptureFixture[str]) -> None:
    assert flash(made, Path("/dev/vda")) == 1
    assert "this computer runs from it" in capsys.readouterr().err
