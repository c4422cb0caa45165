"""The design system in an app: templates, static files, languages and formats for every screen of the house."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from flask import Flask, Response, g, request, url_for
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined

from appliance.domain.proofs import masked
from appliance.web import branding, formats, qr, static_files, texts, tiers
from appliance.web.countdown import countdown
from appliance.web.languages import LANGUAGES, Language
from mqtt_bridge.protocol.ids import shown

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
TEMPLATES = Path(__file__).parent / "templates"
_I18N = "jinja2.ext.i18n"


def install(app: Flask) -> None:
    """Give ``app`` the shared templates, ``/static/<hashed name>``, texts in the reader's language and formats."""
    app.jinja_options = {**app.jinja_options, "extensions": [_I18N], "trim_blocks": True, "lstrip_blocks": True}
    env = app.jinja_env
    env.undefined = StrictUndefined
    env.loader = ChoiceLoader([*([env.loader] if env.loader else []), FileSystemLoader(TEMPLATES)])
    texts.install(app)
    env.globals.update(
        static=static_url,
        languages=LANGUAGES,
        language=texts.language,
        language_url=language_url,
        own_address=own_address,
        chosen_language=texts.chosen,
        upgraded=tiers.upgraded,
        secure_url=tiers.secure_url,
        needed=needed_urls,
        brand=lambda: branding.HOUSE,
        tile=_local(formats.tile),
    )
    env.filters.update(_filters())
    app.add_url_rule("/static/<hashed>", "web_static", static_files.send)
    app.url_defaults(_carry_language)
    app.after_request(_say_language)


def _local(format: Callable[[Any, Any, Language], R]) -> Callable[[Any, Any], R]:
    """Return a two-argument format bound to the reader's language."""

    def bound(value: Any, other: Any) -> R:
        return format(value, other, texts.language())

    return bound


def _filters() -> dict[str, Callable[..., Any]]:
    return {
        "money": _local(formats.money),
        "clock": _local(formats.clock),
        "seconds": _local(formats.seconds),
        "day": _local(formats.day),
        "long_day": _local(formats.long_day),
        "iso": formats.iso,
        "number": lambda value: formats.number(value, texts.language()),
        "shown": shown,
        "masked": masked,
        "qr": qr.svg,
        "countdown": countdown,
    }


def static_url(name: str) -> str:
    """Return the URL of a file of the design system, with its hash."""
    return url_for("web_static", hashed=static_files.files()[name].name)


def needed_urls(name: str) -> list[str]:
    """Return the URLs of a script and of what it imports, itself first, so that a page can ask for all of them at once."""
    return [url_for("web_static", hashed=each) for each in static_files.needed(name)]


def language_url(code: str) -> str:
    """Return this page's address in another language; a page that answers a POST may have none of its own, then the start."""
    own = own_address(**{texts.PARAMETER: code})
    if own is not None:
        return own
    endpoint = request.endpoint
    if request.method != "GET" or endpoint is None or request.routing_exception is not None:
        return f"/?{texts.PARAMETER}={code}"
    arguments: dict[str, Any] = {**(request.view_args or {}), texts.PARAMETER: code}
    here = url_for(endpoint, **arguments)
    # What a stranger put into the query is text, never an option of url_for (``_scheme``, ``_method``, ``endpoint``).
    rest = {name: value for name, value in request.args.items() if name != texts.PARAMETER}
    return f"{here}&{urlencode(rest)}" if rest else here


def own_address(**more: str) -> str | None:
    """Return the address that ``shared_pages.stands_at`` gave this page, with ``more`` in its query; None for other pages."""
    if "address" not in g:
        return None
    endpoint, own = g.address
    values: dict[str, Any] = {**own, **more}
    return url_for(endpoint, **values)


def _say_language(response: Response) -> Response:
    """Say which language a page is in, and that the browser's wish decided it unless the address did."""
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Language", texts.language().code)
        if texts.chosen() is None:
            response.vary.add("Accept-Language")
    return response


def _carry_language(endpoint: str, values: dict[str, Any]) -> None:
    wanted = None if endpoint.endswith("static") or "asset" in endpoint else texts.chosen()
    if wanted is not None:
        values.setdefault(texts.PARAMETER, wanted)
