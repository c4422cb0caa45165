"""The languages of the screens: which one a reader gets, and its catalogue of texts.

Texts in code and templates are the English ones (gettext style). ``translations/<code>.po`` holds the others; it is
compiled in memory when somebody first reads it, so no build step can be forgotten and no start waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.support import NullTranslations, Translations
from werkzeug.datastructures import LanguageAccept

TRANSLATIONS = Path(__file__).parent / "translations"


@dataclass(frozen=True)
class Language:
    """One language of the screens: ``tag`` names its habits (CLDR), ``file`` has its texts; of English they are in the code.

    What CLDR knows is read when it is first asked for: no start waits for the habits of languages that nobody reads.
    """

    code: str
    tag: str
    file: Path | None = None

    @cached_property
    def locale(self) -> Locale:
        """How dates, amounts and lists are written."""
        return Locale.parse(self.tag)

    @cached_property
    def name(self) -> str:
        """How its own readers call it."""
        name = Locale.parse(self.code).get_display_name() or self.code
        return name[0].upper() + name[1:]

    @cached_property
    def texts(self) -> NullTranslations:
        """Its texts; of English the ones in the code."""
        return NullTranslations() if self.file is None else load(self.file)

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""
        return self.locale.text_direction


def load(path: Path) -> Translations:
    """Return the texts of a ``.po`` file."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source))
    compiled.seek(0)
    return Translations(compiled)


# en_GB, not en: dates with the day first and a 24-hour clock are read alike by every English-speaking guest.
ENGLISH = Language("en", "en_GB")
LANGUAGES: dict[str, Language] = {
    "en": ENGLISH,
    **{path.stem: Language(path.stem, path.stem, path) for path in sorted(TRANSLATIONS.glob("*.po"))},
}


def choose(wanted: str | None, accepted: LanguageAccept) -> Language:
    """Return the language asked for by name, else the browser's best, else English."""
    if wanted in LANGUAGES:
        return LANGUAGES[wanted]
    # Werkzeug's best_match puts an exact "en" before a preferred "de-AT".
    spoken = (tag.partition("-")[0].lower() for tag, quality in accepted if quality > 0)
    return next((LANGUAGES[code] for code in spoken if code in LANGUAGES), ENGLISH)
