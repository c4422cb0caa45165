"""The door page: scan, verdict, last scans, heads, health, printing and switches."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.admission import Way
from appliance.domain.errors import Invalid, NotFound
from appliance.portal import door_page, forms, streams
from appliance.services import door, idempotency, printing, stationery, switches
from appliance.services.box import Unit
from appliance.services.door_list import print_door_list
from appliance.web import training
from appliance.web.site import site, site_of
from appliance.web.texts import _, plural
from mqtt_bridge.protocol.messages import Method

SEE_OTHER = 303
LONGEST_CODE = 4096
LONGEST_NAME = 64
SCREEN_REFRESH_S = 3
LARGEST_JOB = 2**31 - 1
_PLACES = "marquee.streams"
_POSITIONS: dict[str, switches.Position | None] = {"open": "open", "closed": "closed", "clock": None}


def register(blueprint: Blueprint) -> None:
    """Serve the door's pages below ``blueprint``."""
    blueprint.record(_make_places)
    blueprint.add_url_rule("/", "door", show_door)
    blueprint.add_url_rule("/live", "live", show_live)
    blueprint.add_url_rule("/live/events", "events", events)
    blueprint.add_url_rule("/exit", "exit", show_exit)
    blueprint.add_url_rule("/check-ins", "check_in", check_in, methods=["POST"])
    blueprint.add_url_rule("/finds", "find", find, methods=["POST"])
    blueprint.add_url_rule("/check-ins/<check_in>/undo", "undo", undo, methods=["POST"])
    blueprint.add_url_rule("/admissions", "pay", pay_and_admit, methods=["POST"])
    blueprint.add_url_rule("/verified", "verify_and_admit", verify_and_admit, methods=["POST"])
    blueprint.add_url_rule(f"/jobs/<int(max={LARGEST_JOB}):job_id>/reprint", "reprint", reprint, methods=["POST"])
    blueprint.add_url_rule(f"/jobs/<int(max={LARGEST_JOB}):job_id>/resolution", "resolve", resolve, methods=["POST"])
    blueprint.add_url_rule(f"/jobs/<int(max={LARGEST_JOB}):job_id>", "job", show_job)
    blueprint.add_url_rule(f"/jobs/<int(max={LARGEST_JOB}):job_id>/paper.png", "job_picture", job_picture)
    blueprint.add_url_rule("/switches", "switch", switch, methods=["POST"])
    blueprint.add_url_rule("/door-lists", "door_list", door_list, methods=["POST"])
    blueprint.add_url_rule("/unpaid/<event_session>", "unpaid", cancel_unpaid, methods=["GET", "POST"])


def show_door(notice: str = "", bad: bool = False) -> str:
    """The door page with the newest scan's verdict, whoever scanned it."""
    done = request.args.get("unpaid", "")
    if done.isascii() and done.isdigit() and len(done) < 6:
        notice = plural("%(num)s unpaid booking was cancelled.", "%(num)s unpaid bookings were cancelled.", int(done))
    return render_template("staff/door.html", page=site().box.look(door_page.page), notice=notice, bad=bad)


def show_live() -> AnyResponse:
    """The same without the field to type in: a screen that refreshes itself, and what the script asks for."""
    answer = make_response(render_template("staff/screen.html", page=site().box.look(door_page.page)))
    answer.headers["Refresh"] = str(SCREEN_REFRESH_S)
    return answer


def show_exit(notice: str = "") -> str:
    """The page for whoever stands where people go out: one field, the last verdict and how many are inside."""
    return render_template("staff/exit.html", page=site().box.look(door_page.page), notice=notice)


def events() -> AnyResponse:
    """The same, pushed whenever something changes."""
    token, member, box = g.token, g.member, site().box

    def render() -> tuple[str, str]:
        training.require(token, member)
        page = box.look(door_page.page)
        return page.mark, render_template("staff/fragment.html", page=page)

    return streams.stream(_places(), render, request.args.get("mark", ""))


def _make_places(state: BlueprintSetupState) -> None:
    state.app.extensions[_PLACES] = streams.Places(site_of(state.app).settings.streams)


def _places() -> streams.Places:
    return cast("streams.Places", current_app.extensions[_PLACES])


def check_in() -> AnyResponse:
    """Record a scan on the way in, or out from the page for that; the same form sent twice is one scan."""
    code = request.form.get("code", "").strip()
    way: Way = "out" if request.form.get("way") == "out" else "in"
    if not code or len(code) > LONGEST_CODE:
        notice = _("Scan a ticket, or type its code.")
        return make_response(show_exit(notice) if way == "out" else show_door(notice, bad=True), 422)
    lane = site().settings.lane

    def use_case(unit: Unit) -> bytes:
        return door.check_in(unit, code, g.member.badge, lane, way).id.encode()

    return once(f"{code} {way}" if way == "out" else code, use_case, "staff.exit" if way == "out" else "staff.door")


def find() -> AnyResponse:
    """Look up what was typed instead of scanning it: a name, or part of a code."""
    return redirect(url_for("staff.orders", code=request.form.get("code", "").strip()[:LONGEST_NAME]), SEE_OTHER)


def pay_and_admit() -> AnyResponse:
    """Take what is due for the scanned ticket's order, and admit."""
    code, method, lane = request.form.get("code", ""), method_of(request.form.get("method", "")), site().settings.lane

    def use_case(unit: Unit) -> bytes:
        return door.pay_and_admit(unit, code, g.member.badge, method, lane).id.encode()

    return once(f"{code} {method}", use_case)


def verify_and_admit() -> AnyResponse:
    """Let a pre-enrolment admit, because staff saw what proves it, and admit the scanned ticket."""
    code, lane = request.form.get("code", ""), site().settings.lane

    def use_case(unit: Unit) -> bytes:
        return door.verify_and_admit(unit, code, g.member.badge, lane).id.encode()

    return once(f"verify {code}", use_case)


def once(meaning: str, use_case: door_page.Once, then: str = "staff.door") -> AnyResponse:
    """Do what a form says, once however often it is sent, and show the page ``then`` with its verdict."""
    key = forms.key(request.form, f"{request.endpoint} {meaning}")
    scope = f"form:staff:{g.member.badge}"
    site().box.run(lambda unit: idempotency.once(unit, scope, key, key, lambda: (200, use_case(unit))))
    return redirect(url_for(then), SEE_OTHER)


def method_of(text: str) -> Method:
    """Return the way of paying a button stood for."""
    if text not in {"cash", "terminal", "comp"}:
        raise Invalid(_("Choose how it was paid."), field="method")
    return cast("Method", text)


def undo(check_in: str) -> AnyResponse:
    """Take a scan back."""
    site().box.run(lambda unit: door.undo(unit, check_in, g.member.badge))
    return redirect(url_for("staff.door"), SEE_OTHER)


def reprint(job_id: int) -> AnyResponse:
    """Print a job again, marked as such."""
    site().box.run(lambda unit: printing.reprint(unit, job_id, g.member.badge))
    return redirect(url_for("staff.door"), SEE_OTHER)


def resolve(job_id: int) -> AnyResponse:
    """Say what became of a job in doubt: it is on paper, or it is printed again as a reprint."""
    came_out = request.form.get("came_out", "")
    if came_out not in {"yes", "no"}:
        raise Invalid(_("Say whether it is on paper."), field="came_out")
    site().box.run(lambda unit: printing.resolve(unit, job_id, g.member.badge, came_out=came_out == "yes"))
    return redirect(url_for("staff.door"), SEE_OTHER)


def show_job(job_id: int) -> str:
    """A job of the spool with a picture of its paper."""
    job, (mark, words) = site().box.look(
        lambda unit: (found := printing.find(unit, job_id), door_page.job_words(found))
    )
    return render_template("staff/job.html", job=job, mark=mark, words=words)


def job_picture(job_id: int) -> AnyResponse:
    """What a job looks like on paper."""
    answer = make_response(site().box.look(lambda unit: stationery.picture(unit, job_id)))
    answer.headers["Content-Type"] = "image/png"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def switch() -> AnyResponse:
    """Open or close a door or a sale, or have a lane's scanner count people out."""
    kind, _colon, event_session = request.form.get("name", "").partition(":")
    value = request.form.get("value", "")
    if kind == "way" and value in {"in", "out"}:
        site().box.run(lambda unit: switches.set_way(unit, event_session, value, g.member.badge))
        return redirect(url_for("staff.more"), SEE_OTHER)
    if kind not in {"door", "sale"} or value not in _POSITIONS:
        raise NotFound("There is no such switch.")
    change = switches.set_door if kind == "door" else switches.set_sale
    site().box.run(lambda unit: change(unit, event_session, _POSITIONS[value], g.member.badge))
    return redirect(url_for("staff.door"), SEE_OTHER)


def door_list() -> AnyResponse:
    """Print every ticket of a date, for when nothing works but paper."""
    event_session = request.form.get("event_session", "")
    site().box.run(lambda unit: print_door_list(unit, event_session, g.member.badge))
    return redirect(url_for("staff.door"), SEE_OTHER)


def cancel_unpaid(event_session: str) -> AnyResponse:
    """Ask, then cancel this box office's unpaid orders of a date, so that others get the tickets."""
    if request.method == "POST":
        done = site().box.run(lambda unit: switches.cancel_unpaid(unit, event_session, g.member.badge))
        return redirect(url_for("staff.door", unpaid=done), SEE_OTHER)
    found = site().box.look(lambda unit: unit.catalogue.event_session.get(event_session))
    if found is None:
        raise NotFound("This date does not exist (any more).")
    return make_response(render_template("staff/unpaid.html", event=found.event, at=found.at))
