"""One application until the device is set up and another one from then on, in the same process on the same socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.services.setting_up import read_setup

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class UntilSetUp:
    """Answers with ``before`` while the folder ``data`` says that it is not set up, then with what ``load`` returns."""

    def __init__(self, data: Path, before: WSGIApplication, load: Callable[[], WSGIApplication]) -> None:
        self._data, self._before, self._load = data, before, load
        self._after: WSGIApplication | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        return self._now()(environ, start_response)

    def _now(self) -> WSGIApplication:
        if self._after is None:
            setup = read_setup(self._data)
            if setup is not None and setup.pending:
                return self._before
            with self._lock:
                if self._after is None:
                    self._after = self._load()
        return self._after
