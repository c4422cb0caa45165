"""Keeps the logging of the test run while something configures it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import structlog

from appliance import logs


@contextlib.contextmanager
def kept_logging() -> Iterator[None]:
    """Give handlers, levels and structlog's configuration back afterwards."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    levels = {name: logging.getLogger(name).level for name in logs._LOUD_LIBRARIES}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**configuration)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)
