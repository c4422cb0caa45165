"""Every text is in every language; the reader's choice travels in links, since there are no cookies."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol, get_group_symbol, list_currencies
from flask import Flask
from werkzeug.datastructures import LanguageAccept

from appliance.web.formats import clock, day, money, tile, whole_money
from appliance.web.languages import LANGUAGES, TRANSLATIONS, Language, choose
from appliance.web.texts import plural
from mqtt_bridge.protocol.money import from_minor
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import ADULT, START_MS, TONIGHT

ROOMS = ("domain", "web", "portal", "console", "setup")
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "plural": (1, 2), "translatable": None}


def texts_in_use() -> set[str | tuple[str, ...]]:
    """Every text that the screens ask for."""
    appliance = TRANSLATIONS.parent.parent
    found: set[str | tuple[str, ...]] = set()
    for room in ROOMS:
        for _file, _line, message, _comments, _context in extract_from_dir(
            appliance / room, METHODS, keywords=KEYWORDS
        ):
            found.add(message)
    return found


@pytest.mark.parametrize("path", sorted(TRANSLATIONS.glob("*.po")), ids=lambda path: path.stem)
def test_a_catalogue_has_exactly_the_texts_in_use(path: Path):
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem)
    known = {message.id for message in catalogue if message.id}
    assert known == texts_in_use()
    for message in catalogue:
        forms_of = message.string if isinstance(message.string, tuple | list) else (message.string,)
        assert not message.id or all(forms_of), message.id
        assert not message.fuzzy or not message.id, message.id
        assert not list(message.check(catalogue)), message.id


def test_five_languages_are_spoken_each_named_as_its_readers_do():
    names = {code: each.name for code, each in LANGUAGES.items()}
    assert names == {"en": "English", "ar": "العربية", "de": "Deutsch", "es": "Español", "fr": "Français"}
    assert [code for code, each in LANGUAGES.items() if each.direction == "rtl"] == ["ar"]


@pytest.mark.parametrize(
    ("n", "words"),
    [(1, "بقيت دقيقة واحدة"), (2, "بقيت دقيقتان"), (3, "بقيت 3 دقائق"), (11, "بقيت 11 دقيقة"), (100, "بقيت 100 دقيقة")],
)
def test_arabic_counts_in_its_own_six_forms(app: Flask, n: int, words: str):
    with app.test_request_context("/?lang=ar"):
        assert plural("%(num)s minute left", "%(num)s minutes left", n) == words


@pytest.mark.parametrize(
    ("wanted", "accepted", "code"),
    [
        (None, [("de-AT", 1.0), ("en", 0.5)], "de"),
        (None, [("fr-CA", 1.0)], "fr"),
        (None, [("nl", 1.0), ("ar-EG", 0.8)], "ar"),
        (None, [("nl", 1.0)], "en"),
        (None, [], "en"),
        ("de", [("en", 1.0)], "de"),
        ("xx", [("de", 1.0)], "de"),
    ],
)
def test_a_reader_gets_what_was_asked_for_then_the_browsers_best_then_english(wanted, accepted, code):
    assert choose(wanted, LanguageAccept(accepted)).code == code


def test_a_language_chosen_by_hand_stays_through_links_and_forms(phone: Phone):
    page = phone.get("/?lang=de")
    assert '<html lang="de"' in page
    assert 'href="/events/river?lang=de"' in page
    event = phone.get("/events/river?lang=de")
    held = phone.send(event, "/holds")
    assert "Für Sie zurückgelegt" in held
    booked = phone.send(held, "/confirm")
    assert "Gebucht!" in booked
    assert "12,00\xa0€ an der Kasse zahlen" in booked


def test_a_german_browser_gets_german_pages_without_asking(app: Flask):
    phone = Phone(app, language="de-DE,de;q=0.9")
    assert "Jetzt im Programm" in phone.get("/")
    assert all("lang=" not in action for action, _ in forms(phone.get("/events/river")))


def test_a_page_that_says_that_something_failed_leads_on_in_the_language_chosen(phone: Phone):
    for path in ("/nothing", "/tickets/nothing", "/events/nothing"):
        assert 'href="/?lang=de"' in phone.get(f"{path}?lang=de")


def test_nonsense_languages_are_ignored(phone: Phone):
    page = phone.get("/?lang=%3Cscript%3E")
    assert phone.status == 200
    assert "<script" not in page


def test_money_and_dates_are_written_as_readers_write_them():
    english, german = LANGUAGES["en"], LANGUAGES["de"]
    assert money(123450, "EUR", german) == "1.234,50\xa0€"
    assert money(123450, "EUR", english) == "€1,234.50"
    assert money(1200, "JPY", english) == "JP¥1,200"
    assert day(START_MS, "Europe/Berlin", english) == "Fri 15 Jan"
    assert clock(START_MS, "Europe/Berlin", german) == "09:00"
    assert clock(START_MS, "Nowhere/Land", english) == "08:00"
    assert tile(START_MS, "Europe/Berlin", english) == ("Fri", "15", "Jan")


def test_money_is_written_as_usual_where_nobody_uses_the_subunits_and_in_full_where_there_are_some():
    english, german = LANGUAGES["en"], LANGUAGES["de"]
    assert money(100_000, "ALL", english) == "ALL1,000"
    assert money(99_950, "ALL", german) == "999,50\xa0ALL"
    assert money(5_000, "IQD", english) == "IQD5"
    assert money(-5_125, "IQD", english) == "-IQD5.125"
    assert money(12_345, "CLF", english) == "CLF1.2345"
    assert whole_money(20, "KWD", german) == "20\xa0KWD"


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_no_page_shows_another_amount_than_is_charged_in_any_currency(language: Language):
    """What a page shows, what paper, API and files say (`from_minor`) and what is summed are one amount."""
    for currency in sorted(list_currencies()):
        for minor in (0, 1, 5, 100, 1_050, 99_950, 100_000, 12_345_678):
            shown = money(minor, currency, language)
            written = re.sub(r"[^0-9.,]", "", shown.replace(get_group_symbol(language.locale), ""))
            amount = written.strip(".,").replace(get_decimal_symbol(language.locale), ".")
            assert Decimal(amount) == Decimal(from_minor(minor, currency).amount), (currency, minor, shown)


@pytest.mark.parametrize(
    "query", ["_method=POST", "_scheme=javascript", "_external=1&_scheme=javascript", "endpoint=x", "_anchor=a&self=1"]
)
def test_a_query_of_a_stranger_is_carried_as_text_and_changes_no_link(phone: Phone, query: str):
    page = phone.get(f"/welcome?{query}")
    assert phone.status == 200
    assert f"/welcome?lang=de&amp;{query.replace('&', '&amp;')}" in page
    assert "javascript://" not in page


def test_a_page_that_is_kept_for_everybody_carries_no_query_of_a_stranger(phone: Phone):
    for path in ("/?when=tonight&", "/events/river?"):
        page = phone.get(f"{path}utm=stranger&lang=&q=&at=&price=stranger")
        assert "stranger" not in page
    assert 'href="/?when=tonight&amp;lang=de" lang="de"' in phone.get("/?when=tonight&page=99")


def test_the_page_that_answers_a_refused_form_can_be_read_in_another_language(phone: Phone):
    refused = phone.send(phone.get("/events/river"), "/holds", **{f"q.{ADULT}": "0"})
    assert phone.status == 422
    assert f'href="/events/river?at={TONIGHT}&amp;lang=de"' in refused
