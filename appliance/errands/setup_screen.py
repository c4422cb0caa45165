"""``marquee setup-screen``: says on the console's screen how far this device is, until it is set up."""

from __future__ import annotations

import argparse
import contextlib
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from appliance.domain.setup import WORDS, Setup
from appliance.services.setting_up import read_setup
from appliance.settings import Settings
from appliance.stopping import stop_event

LOOK_S = 2.0
COLUMNS = 76
# ECMA-48: to the top left, then clear everything; carriage returns, because nobody cooks what is written to a screen.
_CLEAR = "\x1b[H\x1b[2J"


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Write what changed until the device is set up; exit status 0."""
    try:
        with opened(given.tty) as screen:

            def show(text: str) -> None:
                screen.write(_CLEAR + text.replace("\n", "\r\n"))
                screen.flush()

            follow(settings.device.data, settings.portal.public_url, show, stop_event())
    except OSError as error:
        print(f"setup-screen: {given.tty} cannot be written ({error.strerror})", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Yield what is written to: ``-`` is what systemd opened as root, which a service without rights could not."""
    if str(path) == "-":
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8", errors="replace") as screen:
        yield screen


def follow(data: Path, page: str, show: Callable[[str], None], stop: threading.Event) -> None:
    """Show each state of ``data`` once; returns when it is set up."""
    before = None
    while True:
        setup = read_setup(data)
        text = screen_of(setup, page)
        if text != before:
            before = text
            show(text)
        if setup is None or not setup.pending or stop.wait(LOOK_S):
            return


def screen_of(setup: Setup | None, page: str) -> str:
    """Return the whole screen; ``page`` is the portal's address, empty where it has no name."""
    if setup is None:
        return ""
    what, todo = WORDS[setup.step]
    lines = ["", "  MARQUEE", "", *_wrapped(what)]
    for each in setup.problems:
        lines += ["", *_wrapped(f"- {each}")]
    if todo:
        lines += ["", *_wrapped(todo)]
    if setup.device:
        lines += ["", *_wrapped(f"Device {setup.device} of {setup.venue}.")]
    if setup.pending and page:
        lines += ["", *_wrapped(f"The same stands on {page}/setup for who is on this device's network.")]
    return "\n".join(lines) + "\n"


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, COLUMNS, initial_indent="  ", subsequent_indent="  ")
