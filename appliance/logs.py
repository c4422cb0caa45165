"""Structured logs on standard error: one JSON object a line, or key=value on a terminal; never personal data or tokens.

Codes and device ids may appear. Values under names that carry people or secrets are replaced before anything is written, as is whatever
in an address could give a right, and tracebacks are reduced to types and places, because messages of exceptions may quote what a person typed.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

PRIVATE = frozenset(
    {"name", "contact", "pin", "token", "password", "receipt", "hold_token", "order_token", "cookie", "authorization"}
)
_HIDDEN = "[hidden]"
# What stands in an address and is as long as an id or a token gives a right; servers quote addresses when they fail.
_IN_ADDRESS = re.compile(r"(?<=[/=])[A-Za-z0-9_.~-]{26,}")
_SHORTEST = 27
_LOUD_LIBRARIES = ("PIL", "alembic", "escpos", "iotcore", "urllib3", "werkzeug")
Event = MutableMapping[str, Any]


def configure(level: str, format: str, process: str, **who: str) -> None:
    """Send structlog and the standard library's logging to standard error; ``who`` stands in every line."""
    as_json = format == "json" or (format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _short_exception,
        _hide_private,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.processors.KeyValueRenderer(key_order=["event"])
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _naming(process, who), renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in _LOUD_LIBRARIES:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))


def _naming(process: str, who: dict[str, str]) -> structlog.types.Processor:
    def name(_logger: Any, _method: str, event: Event) -> Event:
        return {**event, "process": process, **who}

    return name


def _hide_private(_logger: Any, _method: str, event: Event) -> Event:
    for key in PRIVATE & event.keys():
        event[key] = _HIDDEN
    for key, value in event.items():
        if isinstance(value, str) and len(value) >= _SHORTEST:
            event[key] = _IN_ADDRESS.sub(_HIDDEN, value)
    return event


def _short_exception(_logger: Any, _method: str, event: Event) -> Event:
    given = event.pop("exc_info", None)
    if not given:
        return event
    kind, _, trace = given if isinstance(given, tuple) else sys.exc_info()
    if kind is not None:
        places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in traceback.extract_tb(trace)[-6:]]
        event["error"] = kind.__name__
        event["at"] = " > ".join(places)
    return event
