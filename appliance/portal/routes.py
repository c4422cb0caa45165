"""One table of what programs may call: it registers the views, checks the bodies and becomes the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec
from flask import Blueprint
from flask.typing import ResponseReturnValue

from appliance.web import freshness
from appliance.web.freshness import Freshness

Who = Literal["anyone", "guest", "staff"]
View = Callable[..., ResponseReturnValue]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. ``path`` is a Flask rule; ``answers`` maps each good status to its struct (None: no body).

    ``refusals`` are the statuses of the problems it may answer, beyond those every route has. ``who`` may call it: a guest's
    writes get a ``Client-Token``, staff send a bearer. ``keyed`` operations honour ``Idempotency-Key``. ``queries`` names what is asked
    for behind the path's question mark. Answers of a read may be kept for as long as ``fresh`` says.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Any]
    body: Any = None
    refusals: tuple[int, ...] = ()
    who: Who = "anyone"
    keyed: bool = False
    media_type: str = "application/json"
    queries: tuple[str, ...] = ()
    fresh: Freshness = freshness.NOTHING


@dataclass(frozen=True)
class Table:
    """Routes in the order they were defined; without ``staff`` those that only staff may call are not served."""

    routes: list[Route] = field(default_factory=list)
    staff: bool = True

    def add(self, blueprint: Blueprint, route: Route, view: View) -> None:
        """Serve ``route`` with ``view`` and remember it."""
        if route.who == "staff" and not self.staff:
            return
        if route.body is not None:
            # Described now, by one thread: msgspec (0.22) crashes when two threads describe the same structs at once.
            msgspec.json.Decoder(route.body)
        blueprint.add_url_rule(route.path, route.name, view, methods=[route.method])
        self.routes.append(replace(route, path=(blueprint.url_prefix or "") + route.path))
