"""What a scanner that pretends to be a keyboard sends for a code: key events as the kernel reports them. Pure."""

from __future__ import annotations

from drivers.scanner.keys import ENTER, EV_KEY, EV_SYN, SYN_REPORT
from drivers.scanner.layouts import ALT_GR, SHIFT, strokes_for

Event = tuple[int, int, int]
"""Type, code and value; value 1 is a key that goes down, 2 one that repeats, 0 one that is released."""

_MODIFIERS = {SHIFT: 42, ALT_GR: 100}
_ALT, _PAD = 56, (82, 79, 80, 81, 75, 76, 77, 71, 72, 73)


def events_for(text: str, layout: str = "us", end: int | None = ENTER) -> list[Event]:
    """The events for `text` on a scanner set to `layout`, then the key `end` if there is one; raises `ValueError`."""
    events: list[Event] = []
    for stroke in strokes_for(text, layout):
        modifier = _MODIFIERS.get(stroke.level)
        keys = press(stroke.key)
        events += [*down(modifier), *keys, *up(modifier)] if modifier else keys
    return events + (press(end) if end else [])


def numbered_events_for(text: str) -> list[Event]:
    """The events of a scanner that writes letters by their numbers: Alt held, digits of the number pad; then ENTER."""
    events: list[Event] = []
    for char in text:
        digits = [event for digit in f"{ord(char):03d}" for event in press(_PAD[int(digit)])]
        events += [*down(_ALT), *digits, *up(_ALT)]
    return events + press(ENTER)


def press(key: int) -> list[Event]:
    """A key down and up again."""
    return [*down(key), *up(key)]


def down(key: int) -> list[Event]:
    """A key that goes down, and the report that follows."""
    return [(EV_KEY, key, 1), (EV_SYN, SYN_REPORT, 0)]


def up(key: int) -> list[Event]:
    """A key that is released, and the report that follows."""
    return [(EV_KEY, key, 0), (EV_SYN, SYN_REPORT, 0)]
