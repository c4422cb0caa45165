"""What is mailed to guests, in the language they booked in: a code, or the verdict. Plain text, no name, no picture, one link at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from appliance.web import formats
from appliance.web.languages import ENGLISH, LANGUAGES
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.proofs import shown as grouped


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to write about: ``booking`` is the readable code of the order, ``code`` and ``link`` prove the contact."""

    kind: Literal["code", "verified", "refused"]
    language: str
    booking: str
    event_session: str
    code: str = ""
    link: str = ""


def mail(wanted: Wanted, catalogue: Catalogue) -> tuple[str, str]:
    """Return (subject, text)."""
    language = LANGUAGES.get(wanted.language, ENGLISH)
    _ = language.texts.gettext
    about = _about(wanted, catalogue)
    booking = _("Booking code") + ": " + shown(wanted.booking)
    if wanted.kind == "verified":
        subject = _("You are booked")
        body = [_("Your booking is confirmed. The page you got when you booked shows your ticket now.")]
    elif wanted.kind == "refused":
        subject = _("Your booking could not be confirmed")
        body = [
            _(
                "Your booking could not be confirmed, and its tickets went back on sale. The page you got when you booked says why."
            )
        ]
    else:
        subject = _("Your code: %(code)s") % {"code": grouped(wanted.code)}
        body = [_("Type this code on the page of your booking:"), "    " + grouped(wanted.code)]
        if wanted.link:
            body += [_("Or open this page and say that it is you:"), wanted.link]
        body += [_("Did you not book anything? Then do nothing: without the code nobody gets in.")]
    return subject, "\n\n".join([*([about] if about else []), booking, *body]) + "\n"


def _about(wanted: Wanted, catalogue: Catalogue) -> str:
    found = catalogue.event_session.get(wanted.event_session)
    if found is None:
        return ""
    event, at = found
    language = LANGUAGES.get(wanted.language, ENGLISH)
    day, clock = (say(at.starts_at_ms, at.timezone, language) for say in (formats.day, formats.clock))
    venue = catalogue.venue.get(at.venue)
    return ", ".join([event.title, f"{day} {clock}", *([venue.name] if venue else [])])
