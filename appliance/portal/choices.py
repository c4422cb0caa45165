"""What the listing's form offers and says: every choice with its words, what is chosen, and the way back from each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import url_for

from appliance.domain import browsing
from appliance.domain.browsing import Wish
from appliance.services.views import BrowseView
from appliance.web import formats
from appliance.web.texts import _, language

# With so few events on a page looking is quicker than asking.
FEWEST = 4


@dataclass(frozen=True)
class Option:
    """One entry of a list to choose from."""

    value: str
    words: str
    chosen: bool


@dataclass(frozen=True)
class Choices:
    """The form: ``words`` typed, a list for each question that has more than one answer, and ``chips``: (words, address without it),
    ``quick`` what many ask for, one tap each.

    ``shown`` is False where there is too little to choose from; ``before`` and ``after`` are the addresses of the neighbouring pages.
    """

    shown: bool
    words: str
    when: tuple[Option, ...]
    venue: tuple[Option, ...]
    price: tuple[Option, ...]
    left: bool
    chips: tuple[tuple[str, str], ...]
    quick: tuple[tuple[str, str], ...]
    everything: str
    before: str | None
    after: str | None


def choices(wish: Wish, found: BrowseView) -> Choices:
    """Return the form for a page of the listing."""
    when = _options(wish.when, _("Any day"), [(each, _day(each)) for each in _days(wish, found)])
    venue = _options(wish.venue, _("Any venue"), [(each.id, each.name) for each in found.venues])
    price = _options(wish.price, _("Any price"), [(each, _price(each, found)) for each in found.prices])
    return Choices(
        shown=bool(wish) or len(found.all) >= FEWEST,
        words=wish.words,
        when=when,
        venue=venue if len(found.venues) > 1 else (),
        price=price if found.prices else (),
        left=wish.left,
        chips=tuple(_chips(wish, (*when, *venue, *price))),
        quick=() if wish else tuple(_quick(found)),
        everything=url_for("attendee.listing"),
        before=address(wish, found.page - 1) if found.page > 1 else None,
        after=address(wish, found.page + 1) if found.page < found.pages else None,
    )


def address(wish: Wish, page: int = 1) -> str:
    """Return the address of a page of what fits ``wish``."""
    values: dict[str, Any] = {**query(wish, page)}
    return url_for("attendee.listing", **values)


def query(wish: Wish, page: int) -> dict[str, str]:
    """Return what stands behind the question mark for a page of what fits ``wish``."""
    return browsing.query_for(wish) | ({"page": str(page)} if page > 1 else {})


def _options(chosen: str, nothing: str, offered: list[tuple[str, str]]) -> tuple[Option, ...]:
    return tuple(Option(value, words, value == chosen) for value, words in [("", nothing), *offered])


def _days(wish: Wish, found: BrowseView) -> list[str]:
    """Return the days to offer; one that came by a link and is none of ours stays visible, so that it can be left."""
    named = ["tonight", "week"] if found.knows_today else []
    days = [*named, *found.days]
    return [*days, wish.when] if wish.when and wish.when not in days else days


def _day(value: str) -> str:
    named = {"tonight": _("Tonight"), "week": _("Next 7 days")}
    return named.get(value) or formats.date_words(value, language())


def _price(value: str, found: BrowseView) -> str:
    if value == "free":
        return _("Free")
    currency = next(kind.type.currency for view in found.all for each in view.sessions for kind in each.types)
    return _("up to %(price)s", price=formats.whole_money(int(value), currency, language()))


def _quick(found: BrowseView) -> list[tuple[str, str]]:
    """Return what many ask for, as far as it tells some events from others."""
    offered = [(Wish(when="tonight"), _("Tonight")), (Wish(when="week"), _("Next 7 days"))] if found.knows_today else []
    if "free" in found.prices:
        offered.append((Wish(price="free"), _("Free")))
    return [(words, address(wish)) for wish, words in offered]


def _chips(wish: Wish, options: tuple[Option, ...]) -> list[tuple[str, str]]:
    words = {each.value: each.words for each in options if each.value and each.chosen}
    without = {
        "words": f"“{wish.words}”" if wish.words else "",
        "when": words.get(wish.when, ""),
        "venue": words.get(wish.venue, wish.venue),
        "price": words.get(wish.price, ""),
        "left": _("Tickets left") if wish.left else "",
    }
    empty = Wish()
    return [(shown, address(replace(wish, **{name: getattr(empty, name)}))) for name, shown in without.items() if shown]
