"""Steps and the order in which they are made: every key is made of a step's inputs and of the keys it builds on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from image import keys
from image.cache import Cache
from image.errors import BuildError
from image.progress import Progress
from image.run import Children, Programs

HERE = Path(__file__).parent
# Most of a step is one emulated program after the other: two fill the two cores of a small build host.
AT_ONCE = 2
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
    """Make what is missing, ``AT_ONCE`` steps beside each other, each once those are made that it needs; return each step's folder.

    What runs beside a step that fails is made to its end, and so kept; whoever interrupts the build ends all that runs.
    """
    names = keyed(steps)
    progress = Progress(out, [step.name for step in steps], cache.times())
    children = Children()

    def make(step: Step, given: Mapping[str, Path]) -> Path:
        programs = Programs(cache.at / "log" / f"{step.name}.log", epoch, children)
        with progress.step(step.name, step.says) as running:
            kept = cache.made(step.name, names[step.name], lambda work: step.make(work, given, programs))
        cache.took(step.name, kept, running.elapsed_s)
        return kept

    have: dict[str, Path] = {}
    running: dict[Future[Path], Step] = {}
    wrong: list[BaseException] = []

    def end(those: Iterable[Future[Path]]) -> None:
        for ended in those:
            step = running.pop(ended)
            if error := ended.exception():
                wrong.append(error)
            else:
                have[step.name] = ended.result()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            while len(have) < len(steps) and not wrong:
                for step in _open(steps, have, running.values()):
                    if cache.has(step.name, names[step.name]):
                        progress.cached(step.name, step.says)
                        have[step.name] = cache.made(step.name, names[step.name], lambda _: None)
                    elif len(running) < AT_ONCE:
                        running[pool.submit(make, step, {name: have[name] for name in step.needs})] = step
                end(wait(running, return_when=FIRST_COMPLETED).done)
            end(wait(running).done)
        except BaseException:
            children.end()
            raise
    if len(wrong) > 1:
        raise BuildError("\n\n".join(map(str, wrong))) from wrong[0]
    if wrong:
        raise wrong[0]
    return have


def lasts(steps: Sequence[Step], seconds: Mapping[str, float]) -> float:
    """Return how long ``run`` takes for the steps whose ``seconds`` are given, from one moment on; all others are made before."""
    have = {step.name for step in steps if step.name not in seconds}
    running: dict[str, float] = {}
    now_s = 0.0
    while len(have) < len(steps):
        busy = [step for step in steps if step.name in running]
        for step in [*_open(steps, have, busy)][: AT_ONCE - len(running)]:
            running[step.name] = now_s + seconds[step.name]
        first = min(running, key=running.__getitem__)
        now_s = running.pop(first)
        have.add(first)
    return now_s


def _open(steps: Sequence[Step], have: Container[str], running: Collection[Step]) -> Iterator[Step]:
    """Steps that wait for nothing more, in order; looked up one by one, since a step may be had by the time of the next."""
    for step in steps:
        if step.name not in have and step not in running and all(name in have for name in step.needs):
            yield step
