"""What every scanner does with the codes it has read: bounded waiting, debounce, card numbers, an opinion on its health."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from drivers.health import HealthRecord, State
from drivers.scanner import uid
from drivers.scanner.watch import Trouble, Watch
from drivers.url import DeviceUrl

MAX_CODES = 1000
MAX_CHARS = 500_000
DEFAULT_DEBOUNCE_S = 0.3
OPTIONS = frozenset({"debounce", "uid"})


class Debounce:
    """Tells the first reading of a code from those that follow because it is still before the scanner.

    A code counts as still there until it was away for `window_s`. Remembers no more than `keep` codes.
    """

    def __init__(self, window_s: float, keep: int = 64) -> None:
        self._window_s = window_s
        self._keep = keep
        self._seen: dict[str, float] = {}

    def is_new(self, code: str, now_s: float) -> bool:
        """Whether `code`, seen at `now_s`, is a scan of its own."""
        last_s = self._seen.pop(code, None)
        self._seen[code] = now_s
        if len(self._seen) > self._keep:
            del self._seen[next(iter(self._seen))]
        return last_s is None or now_s - last_s >= self._window_s


class Intake:
    """Codes wait here, in order and bounded, until the owner takes them."""

    def __init__(self, debounce_s: float = 0.0, written: str | None = None) -> None:
        self._debounce = Debounce(debounce_s)
        self._written = written
        self._codes: deque[str] = deque()
        self._chars = 0
        self.watch = Watch()

    def put(self, codes: Iterable[str], size: int, now_s: float) -> None:
        """Codes that arrived now, out of `size` bytes or keys."""
        fresh = list(codes)
        self.watch.heard(now_s, size, len(fresh))
        for code in fresh:
            self._add(uid.normal(code, self._written) if self._written else code, now_s)

    def take(self) -> str | None:
        """The code that has waited longest."""
        if not self._codes:
            return None
        code = self._codes.popleft()
        self._chars -= len(code)
        return code

    def report(self, health: HealthRecord, now_s: float, where: str, more: str = "") -> None:
        """Say how the scanner is doing; `more` is what its owner knows besides, if something is wrong."""
        trouble = self.watch.trouble(now_s)
        reason = more or (trouble.value if trouble else "")
        if reason:
            health.set(State.DEGRADED, reason, **self._detail())
        elif self.watch.counts["codes"]:
            health.set(State.READY, f"Reading codes at {where}.", **self._detail())
        else:
            health.set(State.READY, f"Listening at {where}; no code has come yet.", **self._detail())

    def reset(self) -> None:
        """Begin a new life of the device; codes that were read stay."""
        self.watch.reset()

    def _add(self, code: str, now_s: float) -> None:
        if not self._debounce.is_new(code, now_s):
            self.watch.counts["repeats"] += 1
        elif len(self._codes) >= MAX_CODES or self._chars + len(code) > MAX_CHARS:
            self.watch.went_wrong(Trouble.OVERFLOW, now_s)
        else:
            self._codes.append(code)
            self._chars += len(code)

    def _detail(self) -> dict[str, str]:
        return {name: str(count) for name, count in sorted(self.watch.counts.items()) if count}


def intake_for(url: DeviceUrl, debounce_s: float = DEFAULT_DEBOUNCE_S) -> Intake:
    """The intake that the options `debounce` (seconds) and `uid` (how a card reader writes numbers) ask for."""
    written = url.choice("uid", "", ("", *uid.FORMATS))
    return Intake(url.number("debounce", debounce_s, low=0, high=60), written or None)
