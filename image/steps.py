"""Steps and the order in which they are made: every key is made of a step's inputs and of the keys it builds on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from image import keys
from image.cache import Cache
from image.progress import Progress
from image.run import Programs

HERE = Path(__file__).parent
Make = Callable[[Path, Mapping[str, Path], Programs], None]


@dataclass(frozen=True)
class Step:
    """Something to make: ``needs`` are names of steps before it, ``inputs`` all else that decides the result.

    ``make`` gets an empty folder, the folders of the steps it needs, and programs to run.
    """

    name: str
    says: str
    needs: tuple[str, ...]
    inputs: Any
    make: Make


def code(*modules: str) -> dict[str, str]:
    """Inputs that every step has: the text of the modules that make it."""
    return keys.of_files([HERE / f"{name}.py" for name in modules], HERE)


def keyed(steps: Sequence[Step]) -> dict[str, str]:
    """Return each step's key; a step may only need those before it."""
    made: dict[str, str] = {}
    for step in steps:
        made[step.name] = keys.key(step.name, step.inputs, {name: made[name] for name in step.needs})
    return made


def run(steps: Sequence[Step], cache: Cache, epoch: int, out: TextIO) -> dict[str, Path]:
    """Make what is missing, in order, and return each step's folder."""
    names = keyed(steps)
    progress = Progress(out, [step.name for step in steps], cache.times())
    have: dict[str, Path] = {}
    for step in steps:
        place = names[step.name]
        if cache.has(step.name, place):
            progress.cached(step.name, step.says)
            have[step.name] = cache.made(step.name, place, lambda _: None)
            continue
        programs = Programs(cache.at / "log" / f"{step.name}.log", epoch)
        with progress.step(step.name, step.says) as running:
            given = {name: have[name] for name in step.needs}
            have[step.name] = cache.made(step.name, place, partial(_make, step, given, programs))
        cache.took(step.name, have[step.name], running.elapsed_s)
    return have


def _make(step: Step, given: Mapping[str, Path], programs: Programs, work: Path) -> None:
    step.make(work, given, programs)
