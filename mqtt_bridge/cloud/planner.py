"""When quotas are planned: those that somebody waits for at once, some at a time, and from time to time every one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import structlog

from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.incoming import Outcome
from mqtt_bridge.cloud.planning import Overtaken, plan_quotas
from mqtt_bridge.cloud.records import Quota
from mqtt_bridge.cloud.rows import Rows, Store
from mqtt_bridge.cloud.work import Work

log = structlog.get_logger("marquee.reconciler")

QUOTAS_PER_PLAN = 16
# What a look at those that nobody asked about takes on: a share of all that does not grow with it.
LINES_PER_LOOK = 500
# A quota with many allocations is looked at more rarely where nobody waits for it, so that looking stays a small share of the work.
CALM_MS_PER_LINE = 8


class Planner:
    """Plans in transactions of its own and notes in ``todo`` what they left, and what is done."""

    def __init__(
        self,
        store: Store,
        catalogues: Catalogues,
        todo: Outcome,
        clock: Callable[[], int],
        ticks_ms: Callable[[], int],
    ) -> None:
        self._store, self._catalogues, self._todo = store, catalogues, todo
        self._clock, self._ticks_ms = clock, ticks_ms
        self._planned: dict[str, tuple[int, int]] = {}  # when a quota was planned, and how many allocations it had
        self._cursor = ""

    def calm(self, quota: str, least_ms: int) -> bool:
        """Whether a look at a quota is due that nobody waits for: the more allocations it has, the rarer."""
        planned_ms, lines = self._planned.get(quota, (None, 0))
        patience_ms = max(CALM_MS_PER_LINE * max(0, lines - 20), least_ms)
        return planned_ms is None or self._ticks_ms() - planned_ms >= patience_ms

    def plan(self, quotas: Iterable[str]) -> None:
        """Plan these now."""
        ids = sorted(quotas)
        for start in range(0, len(ids), QUOTAS_PER_PLAN):
            self._plan_some(ids[start : start + QUOTAS_PER_PLAN])

    def next_ones(self) -> set[str]:
        """Return some quotas that nobody asked about: what a process forgot when it died, limits that changed."""
        rows = self._store.look(lambda rows: rows.after(Quota, (self._cursor,), QUOTAS_PER_PLAN))
        self._cursor = ""
        looked_at: set[str] = set()
        lines = 0
        for quota in rows:
            lines += self._planned.get(quota.id, (0, 0))[1]
            if looked_at and lines > LINES_PER_LOOK:
                break
            looked_at.add(quota.id)
            self._cursor = quota.id
        if len(looked_at) == len(rows) < QUOTAS_PER_PLAN:
            self._cursor = ""
        return looked_at

    def _plan_some(self, part: list[str]) -> None:
        """Plan in one transaction; rows that no rule can read stop the one quota they are of, and are listed."""
        try:
            outcome = self._store.run(partial(self._plan_part, part))
        except Overtaken as overtaken:
            log.info("plan.overtaken", device=str(overtaken))
            return  # the life that began has these quotas planned again
        except self._store.failures:
            raise
        except Exception as error:  # noqa: BLE001  one quota must not stop all others
            if len(part) > 1:
                for each in part:
                    self._plan_some([each])
                return
            log.error("plan.failed", quota=part[0], error=type(error).__name__)
            outcome = self._store.run(partial(self._not_planned, part[0], type(error).__name__))
        self._todo.add(outcome)
        self._todo.waiting -= set(part)
        self._todo.moved -= set(part)
        for quota, lines in outcome.planned.items():
            self._planned[quota] = (self._ticks_ms(), lines)

    def _plan_part(self, quotas: list[str], rows: Rows) -> Outcome:
        return plan_quotas(rows, quotas, self._clock(), self._catalogues)

    def _not_planned(self, quota: str, error: str, rows: Rows) -> Outcome:
        work = Work(rows)
        raise_alarm(work, "not-planned", quota, f"nothing of it can be granted or recalled: {error}", self._clock())
        work.write()
        return Outcome()
