"""gunicorn without a command line: threads behind a bound socket, workers that end with their master."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from appliance.web import counters as _made_before_the_fork  # noqa: F401  workers share the memory they count in

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

GRACE_S = 2
SILENT_WORKER_S = 30
KEEP_ALIVE_S = 15
# gunicorn's most; what is longer it answers by itself, what is not gets our own words.
LONGEST_REQUEST_LINE = 8190
# A thread that reads a request or writes an answer gives up on a silent peer after this; accepted sockets inherit it.
SILENT_PEER_S = 10
_PR_SET_PDEATHSIG = 1
_MEMORY = "/dev/shm"  # noqa: S108  heartbeat files are nameless; in memory they do not wear the card


class _QuietLogger(Logger):  # type: ignore[misc,unused-ignore]
    """Lets the standard library's logging, set up by us, write what gunicorn has to say."""

    def setup(self, cfg: Any) -> None:
        """Add no handlers of its own."""
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.disabled = True
        for log in (self.error_log, self.access_log):
            log.propagate = True
        # Its debug lines are the addresses that were asked for, which may carry tokens.
        self.error_log.setLevel(logging.INFO)

    def exception(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """A peer that fell silent is nobody's error, and its traceback must not fill the log."""
        if isinstance(sys.exc_info()[1], BlockingIOError):
            self.error_log.debug("a peer fell silent")
        else:
            super().exception(msg, *args, **kwargs)


class Server(BaseApplication):  # type: ignore[misc,unused-ignore]
    """Serves what ``load`` returns on ``bind``; ``scheme_from`` are the addresses whose word is taken for the scheme.

    ``tls`` are the files of a certificate and its key (PEM) for a server without a proxy; both are read anew for each connection.
    """

    def __init__(
        self,
        load: Callable[[], WSGIApplication],
        *,
        bind: str,
        workers: int,
        threads: int,
        scheme_from: str = "",
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._load = load
        self._settings = {
            "bind": bind,
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "graceful_timeout": GRACE_S,
            "timeout": SILENT_WORKER_S,
            "keepalive": KEEP_ALIVE_S,
            "limit_request_line": LONGEST_REQUEST_LINE,
            # Whose word counts about address and path is the application's to say (``portal.behind_proxy``).
            "forwarded_allow_ips": scheme_from,
            "forwarder_headers": "",
            "logger_class": _QuietLogger,
            "worker_tmp_dir": _MEMORY if Path(_MEMORY).is_dir() else None,
            "control_socket_disable": True,
            "when_ready": _limit_silence,
            "post_fork": _end_with_master,
        }
        if tls is not None:
            self._settings |= {"certfile": str(tls[0]), "keyfile": str(tls[1])}
        super().__init__()

    def load_config(self) -> None:
        """Use our settings only; no file and no environment."""
        for key, value in self._settings.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        """Return the application, in the worker."""
        return self._load()


def _limit_silence(server: Any) -> None:
    """Bound each wait for a peer (socket(7)): gthread has no limit, so a few silent phones would keep every thread."""
    limit = struct.pack("ll", SILENT_PEER_S, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _end_with_master(server: Any, _worker: Any) -> None:
    """A worker whose master was killed would keep the port, and its successor could not listen."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server.pid:
        os._exit(0)
