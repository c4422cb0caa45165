"""The operator's list of contradictions: what happened, what can be done at which price, one click each, or all of a kind."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from mqtt_bridge.cloud import repair
from mqtt_bridge.cloud.repair import RepairRefused
from mqtt_bridge.cloud.repair_view import Entry, RepairView, repairs

blueprint = operator_pages("repair", __name__)
LARGEST_NUMBER = 2**31 - 1
_NUMBER = f"<int(max={LARGEST_NUMBER}):number>"


@blueprint.get("/repair")
def page() -> str:
    """What waits for a decision, or what was decided."""
    return _page()


def _page(notice: str = "", good: str = "") -> str:
    here = console()
    decided = request.args.get("state") == "decided"
    with here.database.read() as db:
        found: RepairView = repairs(db, here.clock(), decided=decided)
    return render_template(
        "console/repair.html",
        view=here.overview(),
        tab="repair.page",
        repair=found,
        decided=decided,
        notice=notice,
        good=good or request.args.get("done", "")[:200],
    )


@blueprint.post(f"/repair/{_NUMBER}")
def apply(number: int) -> str | Response:
    """Apply one remedy at the price that was shown, or leave things as they are."""
    here = console()
    remedy, target = request.form.get("remedy", ""), request.form.get("target", "")
    try:
        if remedy == "dismiss":
            repair.dismiss(here.database, number, g.who, here.clock())
            return redirect(url_for("repair.page", done="Left as it is."), 303)
        seen = (_figure("oversell"), _figure("amount"))
        done = repair.apply_remedy(here.database, number, remedy, g.who, here.clock(), target=target, seen=seen)
    except RepairRefused as refusal:
        return _page(f"Nothing was changed: {refusal}.")
    return redirect(url_for("repair.page", done=done), 303)


@blueprint.post("/repair/all")
def apply_all() -> str | Response:
    """Apply one remedy to every shown entry of a kind and session that offers it, each in its own transaction."""
    here = console()
    kind, session = request.form.get("kind", ""), request.form.get("session", "")
    remedy, target = request.form.get("remedy", ""), request.form.get("target", "")
    with here.database.read() as db:
        groups = repairs(db, here.clock()).groups
    group = next((each for each in groups if (each.kind, each.at.id if each.at else "") == (kind, session)), None)
    bulk = next((each for each in group.bulk if each.choice == (remedy, target)), None) if group else None
    if bulk is not None and (bulk.oversell > _figure("oversell") or bulk.amount_minor > _figure("amount")):
        return _page("Nothing was changed: the price of all has grown since it was shown. Look again.")
    said = [_decide(entry, remedy, target) for entry in (group.entries if group else ())]
    words = f"{said.count(True)} decided."
    if said.count(False):
        words += f" {said.count(False)} could not be: they are still listed."
    return redirect(url_for("repair.page", done=words), 303)


def _decide(entry: Entry, remedy: str, target: str) -> bool | None:
    """Decide one entry of many: whether it could be done, None if it is not offered there."""
    here = console()
    try:
        if remedy == "dismiss":
            repair.dismiss(here.database, entry.row.id, g.who, here.clock())
        elif any((each.remedy, each.target) == (remedy, target) for each in entry.offers):
            repair.apply_remedy(here.database, entry.row.id, remedy, g.who, here.clock(), target=target)
        else:
            return None
    except RepairRefused:
        return False
    return True


@blueprint.post("/repair/rules")
def rule() -> str | Response:
    """Choose, or stop choosing, a remedy for every entry of a kind; those that wait are decided at once."""
    here = console()
    try:
        repair.set_rule(
            here.database, request.form.get("kind", ""), request.form.get("remedy", ""), g.who, here.clock()
        )
    except RepairRefused as refusal:
        return _page(f"Nothing was changed: {refusal}.")
    done = repair.apply_rules(here.database, here.clock())
    return redirect(url_for("repair.page", done=f"Rule set. {done} decided by rule."), 303)


def _figure(name: str) -> int:
    text = request.form.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0
