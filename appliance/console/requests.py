"""Orders on request: what waits for each quota, and an operator's word to let one go first or to refuse it."""

from __future__ import annotations

from collections import Counter

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from appliance.console.numbers import whole
from mqtt_bridge.cloud.overview import QuotaView
from mqtt_bridge.cloud.request_view import WORDS, OpenRequest, Word, open_requests, say

blueprint = operator_pages("requests", __name__)
LARGEST_NUMBER = 2**31 - 1


@blueprint.get("/requests")
def page() -> str:
    """Show what waits, by quota."""
    here = console()
    with here.database.read() as db:
        found = open_requests(db)
    queues: dict[str, list[OpenRequest]] = {}
    for each in found:
        for quota in each.quotas:
            queues.setdefault(quota, []).append(each)
    return render_template(
        "console/requests.html",
        view=here.overview(),
        tab="requests.page",
        queues=queues,
        done=_done(),
        type_names=_type_names,
    )


def _type_names(quota: QuotaView, asked: OpenRequest) -> str:
    """Say which types: ``2 Adult, 1 Child``; those of another session by their number only."""
    names = {each.id: each.name for each in quota.at.ticket_types} if quota.at else {}
    counted = Counter(names.get(each, "elsewhere") for each in asked.ticket_types)
    return ", ".join(f"{number} {name}" for name, number in counted.items())


def _done() -> str:
    said = request.args.get("said", "")
    number = request.args.get("number", "")
    if said not in WORDS or not (number.isascii() and number.isdigit() and len(number) < 6):
        return ""
    one = number == "1"
    if said == "confirm":
        what = "goes first" if one else "go first"
    else:
        what = "is refused" if one else "are refused"
    return (
        f"{number} {what} at the next look, within seconds."
        if number != "0"
        else "Answered already: nothing was changed."
    )


@blueprint.post("/requests/<word>")
def decide(word: str) -> Response:
    """Take the operator's word about one request, or about all that wait for a quota."""
    here = console()
    known: Word | None = next((each for each in WORDS if each == word), None)
    number = 0 if known is None else say(here.database, _places(), known, g.who, here.clock())
    return redirect(url_for("requests.page", said=word, number=number), 303)


def _places() -> list[int]:
    """The requests that were shown: nobody is refused who asked after the page was made."""
    texts = request.form.get("places", "").split()
    return [found for each in texts if (found := whole(each)) is not None and found <= LARGEST_NUMBER]
