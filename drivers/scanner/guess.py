"""Which keyboard a scanner types for, from codes whose looks are known. Pure.

A scanner that pretends to be a keyboard sends keys, not letters. When it is set to another keyboard than the one its keys are read as, codes
arrive mixed up: Y and Z change places, a colon becomes something else. Each code is read as every keyboard would write it; the ones that
give what is expected are candidates, and every further code narrows them down. A code is put right only where all that remain agree on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from drivers.scanner.keys import Typed, text_of
from drivers.scanner.layouts import NAMES

# A prefix and a suffix around the calibration code are this long at most.
_FRAME_CHARS = 20


class Keyboard(NamedTuple):
    """A layout, and whether Caps Lock is on."""

    layout: str
    caps: bool = False

    def __str__(self) -> str:
        return NAMES[self.layout] + (" with Caps Lock on" if self.caps else "")


class LayoutGuess:
    """Reads typed codes as `layout` until there is proof of another keyboard among `candidates`.

    `calibration` is a code that staff may hold before the scanner: it settles the matter and is not passed on.
    """

    def __init__(
        self,
        layout: str = "us",
        candidates: Iterable[str] = tuple(NAMES),
        calibration: str = "",
        clean: Callable[[str], str] = str.strip,
    ) -> None:
        self._own = Keyboard(layout)
        others = [Keyboard(each, caps) for each in dict.fromkeys((layout, *candidates)) for caps in (False, True)]
        self._keyboards = tuple(others)
        self._calibration = calibration
        self._clean = clean
        self._fits: frozenset[Keyboard] = frozenset()
        self._odd = self._unsure = False
        self._looks: tuple[Callable[[str], bool], ...] = ()

    def expect(self, looks_right: Callable[[str], bool]) -> None:
        """Let `looks_right` tell codes of this venue from others, beside what was given before."""
        self._looks += (looks_right,)

    def read(self, typed: Sequence[Typed]) -> str | None:
        """The code that was meant, or None for the calibration code."""
        own = self._text(typed, self._own)
        if self._may_be_calibration(typed):
            calibrated = {each for each in self._keyboards if self._text(typed, each) == self._calibration}
            if calibrated:
                self._learn(calibrated)
                self._unsure = False
                return None
        if own is not None and self._is_expected(own):
            self._learn({self._own})
        elif self._looks:
            # The few that fitted so far come first: they are nearly always right, and all of them cost time.
            self._learn(self._expected(typed, self._fits) or self._expected(typed, self._keyboards))
        if own is None and not self._fits:
            self._odd = True
        return self._settle(typed, own)

    @property
    def complaint(self) -> str:
        """What is wrong and what to do about it; empty when nothing is known to be wrong."""
        wanted = f"set it to {self._own} with the setup codes of its manual"
        if self._fits:
            others = " or ".join(sorted(str(each) for each in self._fits))
            remedy = f"{wanted}{self._address_remedy()}."
            if self._unsure:
                return f"The scanner types for another keyboard ({others}), and a code could not be put right for sure: {remedy}"
            return (
                f"The scanner types for another keyboard ({others}); codes are put right meanwhile, but better {remedy}"
            )
        if self._odd:
            return f"The scanner types letters that its keyboard ({self._own}) does not have: {wanted}."
        return ""

    def _address_remedy(self) -> str:
        known = {each.layout for each in self._fits}
        if self._own.layout in known:
            return ""
        if len(known) == 1:
            return f", or add layout={next(iter(known))} to its address"
        return ", or scan the calibration code" if self._calibration else ""

    def _text(self, typed: Sequence[Typed], keyboard: Keyboard) -> str | None:
        text = text_of(typed, keyboard.layout, caps=keyboard.caps)
        return None if text is None else self._clean(text)

    def _expected(self, typed: Sequence[Typed], keyboards: Iterable[Keyboard]) -> set[Keyboard]:
        return {each for each in keyboards if self._is_expected(self._text(typed, each))}

    def _is_expected(self, text: str | None) -> bool:
        return text is not None and any(looks_right(text) for looks_right in self._looks)

    def _may_be_calibration(self, typed: Sequence[Typed]) -> bool:
        """Trying every keyboard costs time, and a receipt is much longer."""
        return bool(self._calibration) and len(typed) <= len(self._calibration) + _FRAME_CHARS

    def _learn(self, right: set[Keyboard]) -> None:
        """Only `right` wrote a code as it should be."""
        if self._own in right:
            self._fits, self._odd = frozenset(), False
        elif right:
            self._fits = frozenset(self._fits & right or right)

    def _settle(self, typed: Sequence[Typed], own: str | None) -> str:
        meant = {self._text(typed, keyboard) for keyboard in self._fits}
        self._unsure = bool(self._fits) and (len(meant) != 1 or None in meant)
        if self._fits and not self._unsure:
            return next(text for text in meant if text is not None)
        return own if own is not None else self._clean(_with_gaps(typed, self._own))


def pattern(expect: str) -> Callable[[str], bool]:
    """An `expect` that wants the whole text to match a regular expression; raises `re.error`."""
    compiled = re.compile(expect)
    return lambda text: compiled.fullmatch(text) is not None


def _with_gaps(typed: Sequence[Typed], keyboard: Keyboard) -> str:
    return "".join(text_of([each], keyboard.layout, caps=keyboard.caps) or "\ufffd" for each in typed)
