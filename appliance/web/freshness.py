"""How long each kind of answer may be shown without asking again: the one table, told to caches and in docs/portal-caching.md.

Every figure it lets live has an "as of" beside it, so what is shown late is shown as late.
"""

from __future__ import annotations

from dataclasses import dataclass

YEAR_S = 31_536_000
# An entity tag holds the minute, so that "as of" on a page that was found unchanged is never older than this.
AS_OF_MS = 60_000


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds: ``max_age_s`` on a phone, ``shared_s`` in the proxy, and how long each may show it while it asks or cannot.

    ``shared`` answers are the same for everybody; others stay on the phone that asked. ``None`` keeps nothing anywhere; ``checked``
    ones may be kept, and are asked for each time.
    """

    max_age_s: int | None
    shared_s: int | None = None
    revalidate_s: int = 0
    error_s: int = 0
    immutable: bool = False
    checked: bool = False

    def header(self, *, shared: bool = True) -> str:
        """Return the value of ``Cache-Control``; not ``shared`` for a copy that holds something of one phone."""
        if self.max_age_s is None:
            return "no-store"
        if self.checked:
            return "private, no-cache"
        words = ["public" if shared else "private", f"max-age={self.max_age_s}"]
        if self.shared_s is not None and shared:
            words.append(f"s-maxage={self.shared_s}")
        if self.revalidate_s:
            words.append(f"stale-while-revalidate={self.revalidate_s}")
        if self.error_s and shared:
            words.append(f"stale-if-error={self.error_s}")
        return ", ".join([*words, "immutable"] if self.immutable else words)


# The proxy asks once a second for each address however many phones do; a phone may show what it has for some seconds.
PAGE = Freshness(5, shared_s=1, revalidate_s=10, error_s=60)
AVAILABILITY = Freshness(5, shared_s=1, revalidate_s=25, error_s=60)
EVENT_LIST = Freshness(5)
CALENDAR = Freshness(300, shared_s=60)
DESCRIPTION = Freshness(300)
CONTENT = Freshness(YEAR_S, immutable=True)
PHONE = Freshness(0, checked=True)
NOTHING = Freshness(None)

TABLE: dict[str, Freshness] = {
    "the listing, an event, sharing an event": PAGE,
    "`GET /api/v1/availability`": AVAILABILITY,
    "`GET /api/v1/events`": EVENT_LIST,
    "the calendar file of an event": CALENDAR,
    "`GET /api/v1/openapi.json`": DESCRIPTION,
    "`/phone` and the service worker, which a phone keeps for itself": PHONE,
    "pictures and files of the design, named by their content": CONTENT,
    "everything else: any address with a token, every answer to a POST, every refusal, staff, problems": NOTHING,
}
