"""The reader's language within a request, and texts in it."""

from __future__ import annotations

from flask import g, request

from appliance.web.languages import LANGUAGES, Language, choose

PARAMETER = "lang"


def language() -> Language:
    """Return the language of this request: ``?lang=`` wins over ``Accept-Language``."""
    if "language" not in g:
        g.language = choose(request.args.get(PARAMETER), request.accept_languages)
    found: Language = g.language
    return found


def chosen() -> str | None:
    """Return the language the reader picked by hand; links carry it on, since guests have no cookies."""
    wanted = request.args.get(PARAMETER)
    return wanted if wanted in LANGUAGES else None


def _(text: str, **values: object) -> str:
    """Return ``text`` in the reader's language, with ``%(name)s`` filled in."""
    found = language().texts.gettext(text)
    return found % values if values else found


def plural(one: str, many: str, n: int, **values: object) -> str:
    """Return the form of a text that fits ``n``, which it may use as ``%(num)s``."""
    return language().texts.ngettext(one, many, n) % {"num": n, **values}
