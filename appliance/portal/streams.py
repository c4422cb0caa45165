"""Pages that keep themselves fresh: server-sent events, bounded in number and in life.

An open stream holds a thread, so only so many may be open at once in a process; whoever comes later asks again by and by, as a
browser without scripts does. A stream ends by itself after a while, and a browser opens the next one: nobody keeps a thread
whose phone has gone, and a sign-in that is over ends within a minute.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

from flask import Response, make_response, stream_with_context

from appliance.domain.errors import Refusal
from appliance.web.site import site

TICK_S = 0.1
SURE_S = 2.0
LIFE_S = 50.0
AGAIN_MS = 1000
LATER_S = 15

Render = Callable[[], tuple[str, str]]
"""Returns (mark, HTML): what is shown differs exactly when the mark does."""


class Places:
    """How many streams may still be opened in this process."""

    def __init__(self, number: int) -> None:
        self._free = threading.BoundedSemaphore(number) if number else None

    def take(self) -> bool:
        """Take a place; False where none is free."""
        return self._free is not None and self._free.acquire(blocking=False)

    def give_back(self) -> None:
        """Give a place back."""
        if self._free is not None:
            self._free.release()


def stream(places: Places, render: Render, mark: str) -> Response:
    """Answer with what ``render`` gives whenever it changes, beginning with what differs from ``mark``.

    503 with ``Retry-After`` where too many are open.
    """
    if not places.take():
        answer = make_response("Too many open screens.\n", 503)
        answer.headers["Retry-After"] = str(LATER_S)
        answer.headers["Content-Type"] = "text/plain; charset=utf-8"
        return answer
    opened = Response(stream_with_context(_events(render, mark)), mimetype="text/event-stream")
    # Also when nothing was ever read of it: the server closes what it was given.
    opened.call_on_close(places.give_back)
    opened.headers["Cache-Control"] = "no-store"
    opened.headers["X-Accel-Buffering"] = "no"
    return opened


def _events(render: Render, mark: str) -> Iterator[str]:
    yield f"retry: {AGAIN_MS}\n\n"
    end_s = time.monotonic() + LIFE_S
    footprint: tuple[int, ...] | None = None
    look_s = 0.0
    while (now_s := time.monotonic()) < end_s:
        seen = site().box.database.footprint()
        if seen != footprint or now_s >= look_s:
            footprint, look_s = seen, now_s + SURE_S
            try:
                fresh, html = render()
            except Refusal:
                # The sign-in is over: the page itself finds out when it asks again.
                yield "event: over\ndata: {}\n\n"
                return
            # A line now and then also shows the server whether anybody still reads.
            yield f"data: {json.dumps({'html': html})}\n\n" if fresh != mark else ": \n\n"
            mark = fresh
        time.sleep(TICK_S)
