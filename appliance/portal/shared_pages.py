"""Pages that are the same for everybody who reads one language: nothing of one phone in them, so that caches may keep them.

Two things differ from copy to copy and are put in last: when the figures were read, and the key that makes a form safe to send
twice. The entity tag is made of the page without them, and of the minute, so that what has not changed is not sent again and
"as of" stays honest.
"""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

from flask import Response, g, render_template, request

from appliance.portal import forms
from appliance.web import formats, freshness, proxied, texts
from appliance.web.freshness import Freshness

ZIP_LEVEL = 5
# Characters that no text of a catalogue has: they are of nobody's script.
_AS_OF, _EXACT = "\ue000as-of\ue000", "\ue000exact\ue000"
_PLACES = {"as_of": _AS_OF, "as_of_exact": _EXACT}


def stands_at(endpoint: str, **values: str) -> None:
    """Say which address of ours shows this page, for its links to itself: in other languages, and as its one true name.

    They must hold nothing else of what was asked for: a stranger's query would be kept for everybody.
    """
    g.address = (endpoint, values)


def answer(template: str, as_of_ms: int, zone: str, kind: Freshness = freshness.PAGE, **context: Any) -> Response:
    """Return the page for any phone, or 304 for one that has it already."""
    page = render_template(template, key=proxied.KEY_MARKER, **_PLACES, **context)
    facts = f"{as_of_ms // freshness.AS_OF_MS} {page}"
    etag = hashlib.sha256(facts.encode()).hexdigest()[:20]
    # Only our proxy knows which copies are alike and puts a key in each; from elsewhere a page goes to one phone.
    shared = proxied.fills_in_keys()
    if not shared:
        page = page.replace(proxied.KEY_MARKER, forms.new_key())
    response = _zipped(Response(_dated(page, as_of_ms, zone), content_type="text/html; charset=utf-8"), shared=shared)
    response.headers["Cache-Control"] = kind.header(shared=shared)
    response.set_etag(etag, weak=True)
    response.make_conditional(request)
    return response


def _zipped(response: Response, *, shared: bool) -> Response:
    """Compress for a phone that asked directly; the proxy compresses by itself, once it has put in the keys.

    Only here, where a page holds nothing secret: the length of a compressed page tells something of what is in it (BREACH).
    """
    response.vary.add("Accept-Encoding")
    if not shared and request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(response.get_data(), ZIP_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def now(template: str, as_of_ms: int, zone: str, key: str, **context: Any) -> str:
    """Return the same page as the answer to a form that was refused; its form keeps the ``key``, and with it the phone's name."""
    return _dated(render_template(template, key=key, **_PLACES, **context), as_of_ms, zone)


def _dated(page: str, as_of_ms: int, zone: str) -> str:
    shown = formats.seconds(as_of_ms, zone, texts.language())
    return page.replace(_AS_OF, shown).replace(_EXACT, formats.exact(as_of_ms))
