"""Pre-enrolments: what waits to be verified and for what, how the verifier is doing, and an operator's word about one."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from mqtt_bridge.cloud.verification_view import (
    REASONS,
    WORDS,
    Job,
    PendingOrder,
    Word,
    alive_ms,
    counts,
    jobs,
    pending_orders,
    say,
)
from mqtt_bridge.cloud.verifier import GONE_MS

blueprint = operator_pages("preenrolment", __name__)
MOST_AT_ONCE = 500
_NAMES = {"verdicts": "Verdicts", "mail": "Mail", "standing": "Members"}
_NEWS = {
    "": "code under way",
    "sent": "code sent",
    "undeliverable": "code not deliverable",
    "limited": "too many codes asked for",
    "wrong": "a wrong code was typed",
    "spent": "no tries left",
}


@blueprint.get("/pre-enrolment")
def page() -> str:
    """Show what waits."""
    here = console()
    now_ms = here.clock()
    with here.database.read() as db:
        found, work, beat_ms, figures = pending_orders(db), jobs(db), alive_ms(db), counts(db)
    alive = beat_ms is not None and 0 <= now_ms - beat_ms < GONE_MS
    view = here.overview()
    return render_template(
        "console/preenrolment.html",
        view=view,
        tab="preenrolment.page",
        orders=found,
        jobs=[(_NAMES.get(each.name, each.name), _job_words(each), each) for each in work],
        alive=alive,
        beat_ms=beat_ms,
        figures=figures,
        places={each.at.id: each for each in view.quotas if each.at is not None},
        waits=_waits,
        reasons=REASONS,
        done=_done(),
    )


def _waits(order: PendingOrder, now_ms: int) -> str:
    if order.waits_for == "standing":
        left_s = max(0, order.next_ms - now_ms) // 1000
        again = f"asked {order.tries} times, again in {left_s // 60} min" if order.tries else "being asked"
        return f"whoever knows the members: {again}"
    how = "mailed" if order.channel == "mail" else "sent as a text message"
    return f"a code, {how}: {_NEWS.get(order.news, order.news)}"


def _job_words(job: Job) -> str:
    states = {"idle": "works", "busy": "works, more waits", "off": "off", "trouble": "needs a look"}
    return states.get(job.state, job.state)


def _done() -> str:
    said, number = request.args.get("said", ""), request.args.get("number", "")
    if said not in WORDS or not (number.isascii() and number.isdigit() and len(number) < 6):
        return ""
    if number == "0":
        return "Decided already: nothing was changed."
    return f"{number} {'approved' if said == 'approve' else 'refused'}: devices hear of it within seconds."


@blueprint.post("/pre-enrolment/<word>")
def decide(word: str) -> Response:
    """Take the operator's word about one order."""
    here = console()
    known: Word | None = next((each for each in WORDS if each == word), None)
    orders, reason = request.form.get("orders", "").split()[:MOST_AT_ONCE], request.form.get("reason", "operator")
    known = known if reason in REASONS else None
    number = 0 if known is None else say(here.database, orders, known, g.who, here.clock(), reason)
    return redirect(url_for("preenrolment.page", said=word, number=number), 303)
