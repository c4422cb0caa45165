"""emupos, a simulated printer of other people's making, as a process of its own; and reading paper as a person would.

Independent of the project: its tokenizer, its code page tables, its letters and pictures, its status bytes and automatic
status, written from Epson's reference by other hands. Not independent: the QR codes that it draws for `GS ( k` come from
segno, which also draws ours; they are read back by zxing-cpp. Letters are read back by tesseract.
"""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
import zxingcpp
from PIL import Image, ImageFilter, ImageOps

from tests.drivers.patience import eventually
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "oracles" / "bin" / "emupos"
# Epson's reference, "ESC t"; its own profiles name fewer.
CODE_PAGES = {
    0: "PC437", 2: "PC850", 13: "PC857", 14: "PC737", 15: "ISO8859-7", 16: "WPC1252", 17: "PC866", 18: "PC852",
    19: "PC858", 33: "PC775", 34: "PC855", 39: "ISO8859-2", 40: "ISO8859-15", 45: "WPC1250", 46: "WPC1251",
    47: "WPC1253", 48: "WPC1254", 51: "WPC1257",
}  # fmt: skip
PROFILE = {
    "type": "printer", "name": "An 80 mm printer", "dpi": 203, "width_dots": 576,
    "font_a": {"width": 12, "height": 24}, "font_b": {"width": 9, "height": 17}, "code_pages": CODE_PAGES,
    "default_code_page": 0, "drawer_sensor_open_level": "high",
}  # fmt: skip
WIDTH_DOTS = 576
START_S = 60.0
_SCALE = 3


@dataclass(frozen=True)
class Paper:
    """One receipt of the foreign printer: what it says it printed, and the picture of it."""

    text: str
    picture: Image.Image

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def codes(self) -> list[str]:
        """What a QR reader of another family finds on it."""
        margin = ImageOps.expand(self.picture, 60, 255)
        return sorted(found.text for found in zxingcpp.read_barcodes(margin))

    def read(self, languages: str) -> str:
        """The whole of it, read letter by letter."""
        return read(self.picture, languages, block=True)


class ForeignPrinter:
    """The running program; `url` is the address for our drivers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._control = free_port(), free_port()
        self._taken = 0
        device = {
            "id": "door", "type": "printer", "profile": "./profile.yaml", "receipts_dir": "./receipts",
            "connections": [{"tcp": {"port": self._port}}],
        }  # fmt: skip
        api = {"host": "127.0.0.1", "port": self._control}
        (folder / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
        (folder / "emupos.yaml").write_text(yaml.safe_dump({"schema": 1, "api": api, "devices": [device]}))
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [PROGRAM, "run"], cwd=folder, stdout=self._log, stderr=subprocess.STDOUT, env=_environment()
        )

    @property
    def url(self) -> str:
        return f"escpos+tcp://127.0.0.1:{self._port}?timeout=1"

    def log(self) -> str:
        """What the program said about the bytes it got."""
        return (self._folder / "log").read_text()

    def is_up(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            self._ask("GET", "/devices")
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._log.close()

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """paper-out, paper-near-end, cover-open or offline, as long as the block lasts."""
        self._ask("PUT", f"/devices/door/faults/{name}")
        yield
        self._ask("DELETE", f"/devices/door/faults/{name}")

    def next_paper(self) -> Paper:
        """The receipt after the last one that was looked at."""
        assert eventually(lambda: len(self._receipts()) > self._taken), self.log()
        found = self._receipts()[self._taken]
        self._taken += 1
        picture = Image.open(found.with_suffix(".png"))
        picture.load()
        return Paper(found.with_suffix(".txt").read_text(), picture.convert("L"))

    def _receipts(self) -> list[Path]:
        # The name begins with the time of completion; the .json is written last.
        return sorted((self._folder / "receipts").glob("*.json"))

    def _ask(self, method: str, path: str) -> object:
        request = urllib.request.Request(f"http://127.0.0.1:{self._control}/api/v1{path}", method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            body = answer.read()
        return json.loads(body) if body else None


@contextmanager
def foreign_printer(folder: Path) -> Iterator[ForeignPrinter]:
    """The program, running; skips the test where it is not installed."""
    if not PROGRAM.exists():
        pytest.skip("emupos, which judges our printing, is not installed: .ci/setup-oracles")
    printer = ForeignPrinter(folder)
    try:
        assert eventually(printer.is_up, START_S), printer.log()
        yield printer
    finally:
        printer.stop()


def read(picture: Image.Image, languages: str, *, block: bool = False) -> str:
    """The letters in a picture of print, by tesseract; without `block` it is a single line."""
    lacking = [language for language in languages.split("+") if language not in _languages()]
    if lacking:
        packages = " ".join(f"tesseract-ocr-{language.replace('_', '-')}" for language in lacking)
        pytest.skip(f"tesseract does not read {', '.join(lacking)}: apt-get install {packages}")
    # Made for scans: letters of 24 dots with hard edges become larger and softer.
    inked = ImageOps.invert(picture.convert("L")).getbbox()
    grey = ImageOps.expand(picture.convert("L").crop(inked), 30, 255)
    scan = grey.resize((grey.width * _SCALE, grey.height * _SCALE), Image.Resampling.BICUBIC)
    command = ["tesseract", "stdin", "stdout", "-l", languages, "--psm", "4" if block else "7"]
    done = subprocess.run(
        command, input=_png(scan.filter(ImageFilter.GaussianBlur(2))), capture_output=True, timeout=60, check=False,
        env=_environment(),
    )  # fmt: skip
    assert not done.returncode, done.stderr.decode()
    return done.stdout.decode().strip()


@functools.cache
def _languages() -> frozenset[str]:
    if shutil.which("tesseract") is None:
        return frozenset()
    done = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, timeout=30, check=True)
    return frozenset(done.stdout.split())


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _environment() -> dict[str, str]:
    """Nothing of our Python in theirs, and one thread each on a small machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "OMP_THREAD_LIMIT": "1", "NO_COLOR": "1", "COLUMNS": "400"}
