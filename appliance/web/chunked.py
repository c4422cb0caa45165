"""Gives a body that came in chunks a length, so that limits and parsers treat it like any other.

werkzeug cuts a body of unknown length off at ``MAX_CONTENT_LENGTH`` instead of refusing it (413), and half a form or half a
JSON document is not what was sent.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Chunked:
    """Reads a chunked body before the application does: at most one byte more than ``largest``, which is refused then."""

    def __init__(self, app: WSGIApplication, largest: int) -> None:
        self._app = app
        self._largest = largest

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer like the wrapped application."""
        if environ.get("HTTP_TRANSFER_ENCODING") and environ.get("wsgi.input_terminated"):
            del environ["HTTP_TRANSFER_ENCODING"]
            body = environ["wsgi.input"].read(self._largest + 1)
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return self._app(environ, start_response)
