"""``marquee flash`` onto files and a loop device: what arrives, what is refused, what an interruption leaves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.cli import main
from appliance.flash import writing
from appliance.flash.bmap import read_bmap
from appliance.flash.card import Card
from appliance.flash.errors import FlashRefused
from tests.support.cards import BLOCK, FAT_AT, PROVISIONING, SIZE, Image, block_map, file_on, make_image, mapped_part

UNFINISHED = b"This card is not finished"
# The mark, five runs, the first block.
LAST_WRITE = 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return make_image(tmp_path_factory.mktemp("image"))


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "hall-1.toml"
    path.write_text(PROVISIONING)
    return path


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """An old card, larger than the image, full of something else."""
    path = tmp_path / "card"
    path.write_bytes(b"\xa5" * (SIZE + (1 << 20)))
    return path


@pytest.fixture
def flash(told: Path) -> Callable[..., int]:
    def run(*arguments: object) -> int:
        return main(["flash", *map(str, arguments), "--provisioning", str(told), "--yes"])

    return run


@pytest.mark.parametrize("kind", ["path", "packed"])
def test_the_image_and_the_provisioning_file_arrive(flash, made: Image, card: Path, kind: str, capsys) -> None:
    assert flash(getattr(made, kind), card) == 0
    assert mapped_part(card.read_bytes()) == mapped_part(made.data)
    assert card.read_bytes()[:512] == made.data[:512]
    assert file_on(card, "provisioning.toml").decode() == PROVISIONING
    assert card.stat().st_size == SIZE + (1 << 20), "a card does not become shorter"
    said = capsys.readouterr().out
    assert "writing " in said and "verifying" in said and "100 %" in said
    assert said.rstrip().endswith("Take it out and put it into the board.")


def test_only_what_the_map_names_is_written(flash, made: Image, card: Path) -> None:
    assert flash(made.packed, card) == 0
    free = slice(401 * BLOCK, 500 * BLOCK)
    assert set(card.read_bytes()[free]) == {0xA5}


def test_a_file_that_is_not_there_yet_is_made_as_long_as_the_image(flash, made: Image, tmp_path: Path) -> None:
    assert flash(made.path, tmp_path / "new") == 0
    assert (tmp_path / "new").stat().st_size == SIZE


def test_again_with_another_file_for_another_device(flash, made: Image, card: Path, told: Path) -> None:
    assert flash(made.path, card) == 0
    told.write_text(PROVISIONING.replace("hall-1", "hall-2"))
    assert flash(made.path, card) == 0
    assert b"hall-2" in file_on(card, "provisioning.toml")


def test_without_a_file_only_by_saying_so(made: Image, card: Path, capsys) -> None:
    assert main(["flash", str(made.path), str(card), "--yes"]) == 1
    assert "--no-provisioning" in capsys.readouterr().err
    assert main(["flash", str(made.path), str(card), "--no-provisioning", "--yes"]) == 0
    assert mapped_part(card.read_bytes()) == mapped_part(made.data)


def test_a_damaged_image_leaves_a_card_that_says_it_is_unfinished(
    flash, made: Image, tmp_path: Path, card: Path, capsys
) -> None:
    hurt = bytearray(made.data)
    hurt[600 * BLOCK] ^= 1
    (tmp_path / "marquee.img").write_bytes(hurt)
    assert flash(tmp_path / "marquee.img", card, "--bmap", made.bmap) == 1
    assert "is damaged, or the block map is of another image" in capsys.readouterr().err
    assert card.read_bytes().startswith(UNFINISHED)


@pytest.mark.parametrize("cut", [0.3, 0.999])
def test_a_packed_image_that_was_cut_off_is_damaged(
    flash, made: Image, tmp_path: Path, card: Path, cut: float, capsys
) -> None:
    packed = made.packed.read_bytes()
    (tmp_path / "marquee.img.xz").write_bytes(packed[: int(len(packed) * cut)])
    assert flash(tmp_path / "marquee.img.xz", card, "--bmap", made.bmap) == 1
    assert "fetch it again" in capsys.readouterr().err
    assert card.read_bytes()[510:512] != b"\x55\xaa"


def test_the_map_of_another_image_is_found_out(flash, made: Image, tmp_path: Path, card: Path, capsys) -> None:
    other = make_image(tmp_path, seed=2)
    assert flash(made.path, card, "--bmap", other.bmap) == 1
    assert "block map is of another image" in capsys.readouterr().err
    assert card.read_bytes()[510:512] != b"\x55\xaa", "half an image never starts"


def test_refusals_write_nothing(flash, made: Image, tmp_path: Path, card: Path, told: Path, capsys) -> None:
    before = card.read_bytes()
    short, longer, odd = tmp_path / "short", tmp_path / "longer.img", tmp_path / "odd.img"
    short.write_bytes(b"x" * (SIZE - 1))
    longer.write_bytes(made.data + b"x")
    odd.write_bytes(bytes(SIZE))
    (tmp_path / "odd.bmap").write_text(block_map(bytes(SIZE)))
    (tmp_path / "none.bmap").write_text("<html>404</html>")
    for arguments, reason in (
        ((made.path, short), "too small: it has 3.1 MB, the image needs 3.1 MB"),
        ((tmp_path / "no.img", card), "there is no image"),
        ((longer, card, "--bmap", made.bmap), f"has {SIZE + 1} bytes and its block map says {SIZE}"),
        ((longer, card), "longer.bmap cannot be read"),
        ((made.path, card, "--bmap", tmp_path / "none.bmap"), "cannot be used"),
        ((odd, card), "no FAT partition at its beginning"),
        ((made.path, "/dev/sdq7"), "there is no /dev/sdq7"),
        ((made.path, "/dev/null"), "neither a card nor a file"),
        ((made.path, tmp_path), "neither a card nor a file"),
        ((made.path, made.path), "the same file"),
        ((), "say what to write and where"),
    ):
        assert flash(*arguments) == 1
        said = capsys.readouterr().err
        assert reason in said
        assert said.rstrip().endswith("Nothing was written.")
    told.write_text(PROVISIONING.replace('name = "hall-1"', ""))
    assert flash(made.path, card) == 1
    assert "device.name" in capsys.readouterr().err
    assert card.read_bytes() == before
    assert not Path("/dev/sdq7").exists()


def test_the_cards_name_must_be_typed(
    made: Image, card: Path, told: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    arguments = ["flash", str(made.path), str(card), "--provisioning", str(told)]
    before = card.read_bytes()
    assert main(arguments) == 1
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: "yes")
    assert main(arguments) == 1
    assert card.read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda _question: "card")
    assert main(arguments) == 0
    assert f"Everything on {card} (the file, 4.2 MB) will be lost." in capsys.readouterr().out


def test_a_card_that_was_cut_off_is_gone_on_with(
    flash, made: Image, card: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    written: list[int] = []
    write = Card.write

    def counted(self: Card, at: int, data: bytes) -> None:
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(at)
        write(self, at, data)

    monkeypatch.setattr(Card, "write", counted)
    assert flash(made.path, card) == 130
    assert "the same command goes on with it" in capsys.readouterr().err
    assert card.read_bytes().startswith(UNFINISHED)
    counted_again: list[int] = []

    def noted(self: Card, at: int, data: bytes) -> None:
        counted_again.append(at)
        write(self, at, data)

    monkeypatch.setattr(Card, "write", noted)
    assert flash(made.path, card) == 0
    assert "what is already right is kept" in capsys.readouterr().out
    assert FAT_AT not in counted_again and 500 * BLOCK in counted_again, "only what was missing is written"
    assert mapped_part(card.read_bytes()) == mapped_part(made.data)


@pytest.mark.parametrize("moment", range(8))
def test_killed_at_any_moment_it_does_not_start_and_a_second_run_repairs_it(
    flash, made: Image, card: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The writes up to that moment have arrived; the last one in part, as on a card without power."""
    write, count = Card.write, iter(range(100))

    def torn(self: Card, at: int, data: bytes) -> None:
        if next(count) == moment:
            write(self, at, data[: len(data) // 3])
            raise KeyboardInterrupt
        write(self, at, data)

    monkeypatch.setattr(Card, "write", torn)
    interrupted = flash(made.path, card) == 130
    monkeypatch.setattr(Card, "write", write)
    assert interrupted == (moment < LAST_WRITE + 1)
    if interrupted:
        # Of the last write a card has all of its first sector or nothing: then it is complete.
        assert (card.read_bytes()[510:512] != b"\x55\xaa") == (moment < LAST_WRITE)
        assert flash(made.path, card) == 0
    assert mapped_part(card.read_bytes()) == mapped_part(made.data)
    assert file_on(card, "provisioning.toml").decode() == PROVISIONING


def test_a_card_that_forgets_is_told_apart_from_a_good_one(flash, made: Image, card: Path, monkeypatch, capsys) -> None:
    """A fake card takes everything and keeps what fits."""
    write = Card.write
    monkeypatch.setattr(Card, "write", lambda self, at, data: write(self, at, data) if at < 500 * BLOCK else None)
    assert flash(made.path, card) == 1
    assert "does not keep what was written to it" in capsys.readouterr().err
    assert card.read_bytes().startswith(UNFINISHED)


def test_a_card_that_is_pulled_out_says_so(flash, made: Image, card: Path, monkeypatch, capsys) -> None:
    def gone(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.pwrite", gone)
    assert flash(made.path, card) == 1
    assert "pulled out" in capsys.readouterr().err


def test_a_card_that_was_exchanged_meanwhile_is_refused(card: Path) -> None:
    with pytest.raises(FlashRefused, match="exchanged"):
        Card(card, card.stat().st_size - 512)


def test_without_mtools_nothing_is_begun(
    flash, made: Image, card: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    before = card.read_bytes()
    monkeypatch.setenv("PATH", "/nowhere")
    assert flash(made.path, card) == 1
    assert "apt-get install mtools" in capsys.readouterr().err
    assert card.read_bytes() == before


def test_reading_back_passes_by_what_memory_has(card: Path) -> None:
    with Card(card, card.stat().st_size) as opened:
        assert opened._direct is not None, "this file system can read past its memory"
        opened.write(8192, b"new" * 100)
        opened.settle()
        assert opened.read(8192, 300) == b"new" * 100
        assert opened.read(card.stat().st_size - 4096, 1 << 20) == b"\xa5" * 4096, "at the end there is less"


def test_whoever_begins_another_image_begins_anew(made: Image, card: Path, tmp_path: Path) -> None:
    one, two = (read_bmap(each.read_bytes()) for each in (made.bmap, make_image(tmp_path, seed=2).bmap))
    with Card(card, card.stat().st_size) as opened:
        writing.write(opened, made.path, one, lambda _done: None, compare=False)
        assert writing.begun(opened, one)
        assert not writing.begun(opened, two)


@pytest.fixture
def loop(card: Path) -> Iterator[Path]:
    if os.geteuid() or not Path("/dev/loop-control").exists():
        pytest.fail("a loop device needs root")
    device = Path(
        subprocess.run(["losetup", "-f", "--show", card], check=True, capture_output=True, text=True).stdout.strip()
    )
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def test_onto_a_block_device(flash, made: Image, loop: Path, card: Path, capsys) -> None:
    assert flash(made.packed, loop) == 0
    assert mapped_part(card.read_bytes()) == mapped_part(made.data)
    assert file_on(card, "provisioning.toml").decode() == PROVISIONING
    with loop.open("rb") as held:
        other = os.open(loop, os.O_RDWR | os.O_EXCL)
        try:
            assert flash(made.packed, loop) == 1
            assert "another program uses it" in capsys.readouterr().err
        finally:
            os.close(other)
        assert held.read(512) == made.data[:512]
