"""The reader's language within a request, and texts in it, through Flask-Babel.

Flask-Babel finds catalogues as compiled files beside the application; ours are compiled in memory (``web.languages``), so only
its way to a catalogue is replaced.
"""

from __future__ import annotations

from typing import Any

from babel.support import NullTranslations
from flask import Flask, g, request
from flask_babel import Babel, Domain

from appliance.web import proxied
from appliance.web.languages import LANGUAGES, Language, choose

PARAMETER = "lang"


class Texts(Domain):  # type: ignore[misc,unused-ignore]
    """The house's catalogues, in the language of the request."""

    def get_translations(self) -> NullTranslations:
        """Return the catalogue of the reader's language."""
        return language().texts


_TEXTS = Texts()


def install(app: Flask) -> None:
    """Let templates of ``app`` say ``_('text')`` and Flask-Babel know the reader's locale."""
    babel = Babel(app, configure_jinja=False, locale_selector=lambda: str(language().locale))
    babel.domain_instance = _TEXTS
    env: Any = app.jinja_env  # the extension adds the method
    env.install_gettext_callables(_TEXTS.gettext, _TEXTS.ngettext, newstyle=True)


def language() -> Language:
    """Return the language of this request: ``?lang=`` wins over the proxy's word, and that over ``Accept-Language``."""
    if "language" not in g:
        g.language = choose(chosen() or proxied.language(), request.accept_languages)
    found: Language = g.language
    return found


def chosen() -> str | None:
    """Return the language the reader picked by hand; links carry it on, since guests have no cookies."""
    wanted = request.args.get(PARAMETER)
    return wanted if wanted in LANGUAGES else None


def start_url() -> str:
    """Return the start page's address, in the language the reader picked by hand."""
    wanted = chosen()
    return f"/?{PARAMETER}={wanted}" if wanted else "/"


def _(text: str, **values: object) -> str:
    """Return ``text`` in the reader's language, with ``%(name)s`` filled in."""
    found: str = _TEXTS.gettext(text, **values)
    return found


def plural(one: str, many: str, n: int, **values: object) -> str:
    """Return the form of a text that fits ``n``, which it may use as ``%(num)s``."""
    found: str = _TEXTS.ngettext(one, many, n, **values)
    return found
