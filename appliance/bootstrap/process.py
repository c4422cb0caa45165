"""What every process is given, at a venue and in the cloud: a server, a clock, a folder of its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def serve(
    load: Callable[[], WSGIApplication],
    *,
    bind: str,
    workers: int,
    threads: int,
    scheme_from: str = "",
    tls: tuple[Path, Path] | None = None,
) -> int:
    """Serve an application with gunicorn until SIGTERM; it is loaded in each worker, after the fork.

    ``scheme_from`` are addresses of proxies in front, whose ``X-Forwarded-Proto`` counts; ``tls`` are certificate and key.
    """
    from appliance.web.server import Server

    # What is imported by now is memory that master and workers share, as long as no look for garbage writes into it.
    gc.collect()
    gc.freeze()
    Server(load, bind=bind, workers=workers, threads=threads, scheme_from=scheme_from, tls=tls).run()
    return 0


def wall_ms() -> int:
    """The wall clock in ms since the epoch."""
    return time.time_ns() // 1_000_000


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
