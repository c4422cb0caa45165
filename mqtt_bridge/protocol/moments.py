"""Moments as people write them: at the time of a place, or with an offset. A time that is none, or may be two, is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
_TIME = re.compile(r"^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*([Zz]|[+-]\d{2}:\d{2})?$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_ms(raw: str, zone: str) -> int:
    """Return a moment in ms since the epoch: RFC 3339 with offset, or local time in ``zone``; ``ValueError`` with what to write instead."""
    found = _TIME.match(raw)
    try:
        if found is None:
            raise ValueError
        offset = found[3].upper().replace("Z", "+00:00") if found[3] else ""
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}")
    except ValueError:
        raise ValueError(
            f"{_short(raw)} is not a time; write 2026-11-24T20:00:00+01:00, or 2026-11-24 20:00 in the session's timezone"
        ) from None
    if not 2000 <= moment.year < 2200:
        raise ValueError(f"{_short(raw)} is not in this or the next century")
    if moment.tzinfo is None:
        moment = _local(moment, raw, zone)
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def both(raw: str, zone: str) -> tuple[str, ...]:
    """Return the two moments, with their offsets, that a local time can mean which happens twice in ``zone``; else nothing."""
    try:
        moment_ms(raw, zone)
    except _Twice as error:
        return tuple(each.isoformat(timespec="minutes") for each in error.moments)
    except ValueError:
        pass
    return ()


class _Twice(ValueError):
    """A local time that happens twice."""

    def __init__(self, raw: str, zone: str, first: datetime, second: datetime) -> None:
        super().__init__(f"{raw} happens twice in {zone}: write it with its offset, such as {first.isoformat()}")
        self.moments = first, second


def _local(moment: datetime, raw: str, zone: str) -> datetime:
    first, second = (moment.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    if first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment:
        raise ValueError(f"{raw} does not exist in {zone}: clocks skip it; write another time")
    if first.utcoffset() != second.utcoffset():
        raise _Twice(raw, zone, first, second)
    return first


def _short(raw: str) -> str:
    return repr(raw if len(raw) <= 60 else raw[:57] + "...")
