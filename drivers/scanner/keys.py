"""From the key events of a scanner that pretends to be a keyboard to typed codes. Pure: time is given by the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drivers.scanner.layouts import ALT_GR, LETTER_KEYS, PAD_DIGITS, SHIFT, Stroke, letter

Typed = Stroke | str
"""A key pressed, or a letter given by its number (Alt and the number pad), which every keyboard writes alike."""

DEFAULT_GAP_S = 0.3
MAX_KEYS = 4096

# input-event-codes.h
EV_SYN, EV_KEY, SYN_REPORT, SYN_DROPPED = 0, 1, 0, 3
RELEASED, PRESSED = 0, 1
ENTER, TAB, KP_ENTER, CAPS = 28, 15, 96, 58
_SHIFTS, _CTRLS, _ALT, _ALT_GR = {42, 54}, {29, 97}, 56, 100
_META = {125, 126}
_CTRL_ENDS = {50, 36}  # Ctrl+M and Ctrl+J are CR and LF
_ENDS = {ENTER, TAB, KP_ENTER}


class KeyDecoder:
    """Cuts key events into codes at Enter or Tab, or at a pause longer than `gap_s`; key repeat is ignored.

    When the kernel says that it lost events, the code around the gap is given up and counted in `lost`; codes of more than
    `MAX_KEYS` are dropped and counted in `dropped`.
    """

    def __init__(self, gap_s: float = DEFAULT_GAP_S) -> None:
        self._gap_s = gap_s
        self._last_s = 0.0
        self.lost = self.dropped = 0
        self.reset()

    def reset(self) -> None:
        """Forget half a code and every key that is held, as after an unplugged cable."""
        self._typed: list[Typed] = []
        self._held: set[int] = set()
        self._caps = False
        self._number = ""
        self._spoilt = self._too_long = self._skipping = False

    @property
    def waiting(self) -> bool:
        """Whether part of a code has arrived."""
        return bool(self._typed) or self._spoilt or self._too_long

    def gap_left_s(self, now_s: float) -> float:
        """Seconds until a pause ends the part that has arrived."""
        return max(0.0, self._last_s + self._gap_s - now_s)

    def feed(self, events: Iterable[tuple[int, int, int]], now_s: float) -> list[list[Typed]]:
        """The codes that events (type, code, value), which arrived at `now_s`, complete."""
        codes = self.flush(now_s)
        self._last_s = now_s
        for kind, code, value in events:
            if kind == EV_SYN:
                self._synchronise(code)
            elif kind == EV_KEY and not self._skipping and self._key(code, value):
                codes.extend(self._take())
        return codes

    def flush(self, now_s: float) -> list[list[Typed]]:
        """The code that the pause until `now_s` ended, if there is one."""
        return self._take() if self.waiting and self.gap_left_s(now_s) == 0 else []

    def _synchronise(self, code: int) -> None:
        if code == SYN_DROPPED:
            # What is held now is unknown, and everything up to the next report is worthless.
            self._skipping = self._spoilt = True
            self._held.clear()
        elif code == SYN_REPORT:
            self._skipping = False

    def _key(self, key: int, value: int) -> bool:
        """Take note of one event; whether it ends a code."""
        if key in _SHIFTS | _CTRLS | _META | {_ALT, _ALT_GR}:
            return self._modifier(key, value)
        if value != PRESSED:
            return False
        if key in _ENDS or (self._held & _CTRLS and key in _CTRL_ENDS):
            return True
        if key == CAPS:
            self._caps = not self._caps
        elif _ALT in self._held:
            self._number += PAD_DIGITS.get(key, "")
        elif key in LETTER_KEYS and not self._held & (_CTRLS | _META):
            # Function and arrow keys, which some scanners send around a code, are no letters.
            level = ALT_GR if _ALT_GR in self._held else SHIFT if self._held & _SHIFTS else 0
            self._add(Stroke(key, level, self._caps))
        return False

    def _modifier(self, key: int, value: int) -> bool:
        if value != RELEASED:
            self._held.add(key)
            return False
        self._held.discard(key)
        if key != _ALT or not self._number:
            return False
        number, self._number = self._number[:6], ""
        char = numbered(number)
        if char in "\r\n":
            return True
        self._add(char)
        return False

    def _add(self, typed: Typed) -> None:
        if len(self._typed) >= MAX_KEYS:
            self._typed.clear()
            self._too_long = True
            self.dropped += 1
        elif not self._too_long:
            self._typed.append(typed)

    def _take(self) -> list[list[Typed]]:
        typed, self._typed, spoilt = self._typed, [], self._spoilt
        self._spoilt = self._too_long = False
        if spoilt:
            self.lost += 1
            return []
        return [typed] if typed else []


def numbered(digits: str) -> str:
    """The letter of an Alt number: of Windows with a leading zero, of the PC's first code page without, else of Unicode."""
    number = int(digits)
    if number > 255:
        return chr(number) if number < 0xD800 else "\ufffd"
    return bytes((number,)).decode("cp1252" if digits.startswith("0") else "cp437", "replace")


def text_of(typed: Sequence[Typed], layout: str, *, caps: bool = False) -> str | None:
    """What was typed, on a keyboard of `layout`, with Caps Lock besides if `caps`; None if a key has no letter there."""
    letters = [each if isinstance(each, str) else _letter(each, layout, caps) for each in typed]
    return None if None in letters else "".join(each for each in letters if each)


def _letter(stroke: Stroke, layout: str, caps: bool) -> str | None:
    return letter(stroke._replace(caps=stroke.caps != caps), layout)
