"""Staff sign in, scan, sell and take money on pages that work without scripts; every verdict has its own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from appliance.domain import printing as documents
from appliance.domain.clock import MINUTE_MS
from appliance.portal import WebSettings, create_app
from appliance.services import door as door_service
from appliance.services import hardware, printing
from appliance.store import tables
from mqtt_bridge.protocol.ids import shown
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import ADULT, BADGE, CHILD, ELSEWHERE, PIN, TONIGHT, TestBox


def ticket_code(page: str) -> str:
    """The readable code of the first ticket on a guest's page."""
    found = re.search(r'class="foot"><p class="code">([^<]+)<', page)
    assert found is not None
    return found[1]


def count(box: TestBox, table: str) -> int:
    """Number of rows of a table."""
    with box.database.read() as db:
        return len(db.execute(tables.metadata.tables[table].select()).all())


def scan(door: Phone, code: str) -> str:
    """Type a code into the door page; the page after it."""
    return door.send(door.get("/staff/"), "check-ins", code=code)


def verdict(page: str) -> str:
    """The words of the verdict, with its colour's class."""
    found = re.search(r'class="full verdict ?([a-z_]*)".*?class="said">([^<]+)<', page, re.DOTALL)
    assert found is not None
    return f"{found[1]}: {found[2].strip()}"


@pytest.mark.parametrize("path", ["/staff/", "/staff/live", "/staff/sell", "/staff/orders"])
def test_strangers_are_sent_to_the_sign_in(phone: Phone, path: str):
    phone.get(path)
    assert phone.path == "/staff/sign-in"


def test_a_wrong_pin_says_no_more_than_that(app: Flask):
    door = Phone(app, cookies=True)
    page = door.send(door.get("/staff/sign-in"), "", badge=BADGE, pin="0000")
    assert door.status == 401
    assert "Badge and PIN do not fit together." in page


def test_after_many_wrong_pins_even_the_right_one_waits(app: Flask):
    door = Phone(app, cookies=True)
    form = door.get("/staff/sign-in")
    for _ in range(6):
        door.send(form, "", badge=BADGE, pin="0000")
    page = door.send(form, "", badge=BADGE, pin=PIN)
    assert door.status == 429
    assert "Too many attempts" in page


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app: Flask):
    http = app.test_client()
    answer = http.post("/staff/sign-in", data={"badge": BADGE, "pin": PIN})
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/staff", "Max-Age="):
        assert part in cookie


def test_signing_in_works_in_every_language(app: Flask):
    door = Phone(app, cookies=True)
    page = door.send(door.get("/staff/sign-in?lang=de"), "", badge=BADGE, pin=PIN)
    assert "Letzte Scans" in page


def test_a_staff_form_without_its_token_changes_nothing(door: Phone, box: TestBox):
    for path in ("/staff/check-ins", "/staff/sell", "/staff/payments", "/staff/switches", "/staff/admissions"):
        door.post(path, {"code": "ABCD-EFGH", "key": "k", "method": "cash", f"q.{ADULT}": "1"})
        assert door.status == 403
    assert count(box, "check_in") == count(box, "orders") == 0


def test_signing_out_ends_it(app: Flask, door: Phone):
    cookie = door.http.get_cookie("staff", path="/staff")
    assert cookie is not None
    _where, fields = next(each for each in forms(door.get("/staff/")) if "sign-out" in each[0])
    answer = door.http.post("/staff/sign-out", data=fields)
    assert answer.headers["Clear-Site-Data"] == '"cache"', "what the browser kept for going back goes too"
    door.get("/staff/")
    assert door.path == "/staff/sign-in"
    again = app.test_client(use_cookies=False).get("/staff/", headers={"Cookie": f"staff={cookie.value}"})
    assert again.status_code == 303, "also for whoever copied the cookie"


def test_an_unpaid_ticket_shows_the_amount_and_one_tap_pays_and_admits(door: Phone, phone: Phone, box: TestBox):
    page = scan(door, ticket_code(phone.book()))
    assert verdict(page) == "refused: Not paid"
    assert "Take €12.00" in page
    page = door.send(page, "admissions", method="cash")
    assert verdict(page) == "admitted: Admitted"
    assert count(box, "payment") == 1
    assert door.path == "/staff/"


def test_the_second_scan_says_when_the_first_was(door: Phone, phone: Phone, box: TestBox):
    code = ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))
    assert verdict(scan(door, code)) == "admitted: Admitted"
    box.turn.advance(MINUTE_MS)
    page = scan(door, code.lower())
    assert verdict(page) == "already_admitted: Already admitted"
    assert "came in at 09:00:00" in page


def test_an_unknown_code_is_refused_and_kept(door: Phone, box: TestBox):
    page = scan(door, "<b>nonsense</b>")
    assert verdict(page) == "refused: Unknown code"
    assert "<b>nonsense" not in page
    assert count(box, "check_in") == 1


def test_a_ticket_for_another_venue_is_sent_there(door: Phone, phone: Phone):
    away = phone.get("/events/river").split('class="dates"')[1].split('href="')[2].split('"')[0]
    held = phone.send(phone.get(away), "/holds", **{f"q.{ELSEWHERE}": "1"})
    page = scan(door, ticket_code(phone.send(held, "/confirm")))
    assert verdict(page) == "refused: Wrong place or time"
    assert "South Barn" in page


def test_a_cancelled_ticket_is_refused(door: Phone, phone: Phone):
    page = phone.book()
    code = ticket_code(page)
    phone.send(phone.get(f"{phone.path}/cancel"), "/cancel")
    assert verdict(scan(door, code)) == "refused: Cancelled"


def test_the_same_form_sent_twice_is_one_scan(door: Phone, phone: Phone, box: TestBox):
    code = ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))
    form = door.get("/staff/")
    door.send(form, "check-ins", code=code)
    page = door.send(form, "check-ins", code=code)
    assert verdict(page) == "admitted: Admitted"
    assert count(box, "check_in") == 1


def test_a_scan_can_be_taken_back(door: Phone, phone: Phone):
    code = ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))
    page = door.send(scan(door, code), "/undo")
    assert "undone" in page
    assert verdict(page) == ": Ready"
    assert verdict(scan(door, code)) == "admitted: Admitted"


def test_what_the_hardware_scanner_read_appears_on_the_door_page_and_screen(door: Phone, phone: Phone, box: TestBox):
    code = ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))
    page = door.get("/staff/live")
    before = re.findall(r'data-mark="(\w+)"', page)
    box.run(lambda unit: door_service.check_in(unit, code, "scanner", "lane-1"))
    for path in ("/staff/", "/staff/live"):
        page = door.get(path)
        assert verdict(page) == "admitted: Admitted"
        assert "lane-1" in page
    assert re.findall(r'data-mark="(\w+)"', page) != before
    assert door.last is not None
    assert door.last.headers["Refresh"] == "3"


def test_an_old_verdict_gives_way_to_ready(door: Phone, box: TestBox):
    scan(door, "ABCDEFGH")
    box.turn.advance(5 * MINUTE_MS)
    assert verdict(door.get("/staff/")) == ": Ready"


def test_a_walk_up_is_sold_paid_printed_and_admitted_in_two_taps(door: Phone, box: TestBox):
    page = door.get("/staff/sell")
    first = re.search(r'href="(/staff/sell/[^"]+)"', page)
    assert first is not None
    page = door.send(door.get(first[1]), "/staff/sell", method="terminal")
    assert "Sold" in page
    assert "admitted" in page
    assert count(box, "payment") == 1
    assert box.look(lambda unit: len(door_service.recent(unit, 5))) == 1
    assert count(box, "print_job") == 2


def test_a_sale_sent_twice_sells_once(door: Phone, box: TestBox):
    form = door.get(f"/staff/sell/{ADULT}?n=3")
    for _ in range(2):
        door.send(form, "/staff/sell", method="cash")
        assert door.status == 200
    assert count(box, "orders") == 1
    assert count(box, "ticket") == 3


def test_a_comp_is_given_away_and_audited(door: Phone, box: TestBox):
    door.send(door.get(f"/staff/sell/{ADULT}"), "/staff/sell", method="comp")
    with box.database.read() as db:
        assert "comp" in [row.action for row in db.execute(tables.audit.select()).all()]


def test_selling_more_than_there_is_says_so_and_sells_nothing(door: Phone, box: TestBox):
    page = door.send(door.get(f"/staff/sell/{ADULT}"), "/staff/sell", **{f"q.{ADULT}": "11", "method": "cash"})
    assert door.status == 409
    assert "Not sold: so many are not left here." in page
    assert count(box, "orders") == 0


def test_a_promised_order_is_found_by_its_code_and_paid(door: Phone, phone: Phone, box: TestBox):
    booked = phone.send(phone.hold(**{f"q.{ADULT}": "2"}), "/confirm", name="Ada Lovelace")
    with box.database.read() as db:
        code = shown(db.execute(tables.order.select()).one().code)
    page = door.get(f"/staff/orders?code={code.lower()}")
    assert "Ada Lovelace" in page
    assert "To pay: €24.00" in page
    page = door.send(page, "payments", method="cash")
    assert "To pay" not in page
    assert 'class="pay paid"' in page
    assert count(box, "payment") == 1
    assert "Pay €24.00" in booked
    assert 'class="pay paid"' in phone.get(phone.path)


def test_paying_twice_takes_the_money_once(door: Phone, phone: Phone, box: TestBox):
    code = ticket_code(phone.book())
    form = door.get(f"/staff/orders?code={code}")
    for _ in range(2):
        door.send(form, "payments", method="cash")
        assert door.status == 200
    page = door.send(form, "payments", method="terminal")
    assert door.status == 422
    assert "Nothing was taken" in page
    assert count(box, "payment") == 1


def test_an_unknown_order_code_says_so(door: Phone):
    page = door.get("/staff/orders?code=%3Cb%3E")
    assert door.status == 404
    assert "Nobody was found" in page
    assert "<b>" not in page.split('<form class="scan"')[1].split("</form>")[0]


def test_staff_cancel_after_asking(door: Phone, phone: Phone):
    code = ticket_code(phone.book())
    asked = door.get(f"/staff/orders?code={code}&cancel=ask")
    page = door.send(asked, "cancel")
    assert 'class="pay off"' in page


def test_what_was_used_at_the_door_cannot_be_cancelled(door: Phone, phone: Phone):
    code = ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))
    scan(door, code)
    page = door.send(door.get(f"/staff/orders?code={code}&cancel=ask"), "cancel")
    assert door.status == 409
    assert "was used at the door" in page


def test_switches_close_and_open_and_go_back_to_the_clock(door: Phone, phone: Phone):
    code = ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))

    def switch(value: str) -> str:
        page = door.get("/staff/")
        fields = next(each for action, each in forms(page) if action == "/staff/switches" and "door" in each["name"])
        return door.post("/staff/switches", {**fields, "value": value})

    assert "Door: closed" in switch("closed")
    assert verdict(scan(door, code)) == "refused: Wrong place or time"
    assert "by staff" in switch("open")
    assert verdict(scan(door, code)) == "admitted: Admitted"
    assert "by staff" not in switch("clock")


def test_a_switch_that_does_not_exist_is_refused(door: Phone):
    page = door.get("/staff/")
    fields = next(each for action, each in forms(page) if action == "/staff/switches")
    for change in ({"value": "ajar"}, {"name": f"window:{TONIGHT}"}, {"name": "door:nowhere"}):
        door.post("/staff/switches", {"value": "open", **fields, **change})
        assert door.status == 404


def test_unpaid_bookings_are_cancelled_after_asking_and_their_tickets_go_back_on_sale(door: Phone, phone: Phone):
    unpaid, free = phone.book(), phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"})
    asked = door.get(f"/staff/unpaid/{TONIGHT}")
    assert "Cancel unpaid bookings?" in asked
    _, fields = next(each for each in forms(asked) if not each[0])
    page = door.post(f"/staff/unpaid/{TONIGHT}", fields)
    assert "1 unpaid booking was cancelled." in page
    assert verdict(scan(door, ticket_code(unpaid))) == "refused: Cancelled"
    assert verdict(scan(door, ticket_code(free))) == "admitted: Admitted"
    door.get("/staff/unpaid/nowhere")
    assert door.status == 404


def test_a_failed_print_can_be_tried_again(door: Phone, phone: Phone, box: TestBox):
    scan(door, ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"})))
    job = box.run(printing.claim)
    assert job is not None
    box.run(lambda unit: printing.finish(unit, job.id, "failed", "paper is out", given_up=True))
    page = door.get("/staff/")
    assert "Stub: not printed" in page
    assert "paper is out" in page
    page = door.send(page, "/reprint")
    assert "1 job waits for the printer." in page


def test_a_job_in_doubt_is_decided_by_whoever_looked_at_the_paper(door: Phone, phone: Phone, box: TestBox):
    """Its page shows what the paper looks like; missing paper is printed again, and nothing is left to decide."""
    scan(door, ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"})))
    job = box.run(printing.claim)
    assert job is not None
    box.run(printing.recover)
    page = door.get("/staff/")
    assert "Stub: perhaps printed" in page
    assert f'src="/staff/jobs/{job.id}/paper.png"' in door.get(f"/staff/jobs/{job.id}")
    picture = door.http.get(f"/staff/jobs/{job.id}/paper.png")
    assert picture.data.startswith(b"\x89PNG")
    door.get("/staff/")
    page = door.send(page, "/resolution", came_out="no")
    assert "Stub: not printed" in page
    assert "1 job waits for the printer." in page
    assert box.look(lambda unit: printing.find(unit, job.id + 1)).reprint_of == job.id
    door.get("/staff/jobs/99999")
    assert door.status == 404


def test_the_door_list_of_a_date_is_printed_by_name(door: Phone, phone: Phone, box: TestBox):
    """For when nothing works but paper; a date nobody has a ticket for is said so."""
    page = door.get("/staff/")
    assert "knows no ticket" in door.send(page, "/door-lists", event_session=TONIGHT)
    phone.book(**{f"q.{ADULT}": "1", f"q.{CHILD}": "1"})
    door.send(door.get("/staff/"), "/door-lists", event_session=TONIGHT)
    job = box.run(printing.claim)
    assert job is not None
    printed = documents.decode(job.document)
    assert isinstance(printed, documents.DoorList)
    assert (printed.tickets, printed.inside, len(printed.rows)) == (2, 0, 2)


def test_an_untrusted_clock_and_a_cut_link_are_told(door: Phone, box: TestBox):
    box.turn.trust(False)
    page = door.get("/staff/")
    assert "Clock is not trusted" in page
    assert "No link: go on selling and scanning" in page


def test_staff_pages_have_one_script_from_this_very_device(door: Phone):
    page = door.get("/staff/")
    assert re.findall(r"<script[^>]*>", page) == re.findall(
        r'<script src="/static/staff\.[0-9a-f]{12}\.js" defer>', page
    )


def test_staff_of_another_venue_have_no_business_here(app: Flask):
    door = Phone(app, cookies=True)
    door.send(door.get("/staff/sign-in"), "", badge="S1", pin="x")
    assert door.status == 401


def test_behind_tls_the_cookie_is_secure(tmp_path: Path, box: TestBox):
    app = create_app(box, WebSettings(data=tmp_path, behind_proxy=True))
    answer = app.test_client().post(
        "/staff/sign-in", data={"badge": BADGE, "pin": PIN}, headers={"X-Forwarded-Proto": "https"}
    )
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-staff=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


def test_a_sign_in_that_a_neighbour_planted_over_http_is_nobodys_at_the_secure_address(tmp_path: Path, box: TestBox):
    """Who answers plain HTTP for our name can set any cookie but one whose name begins with ``__Host-`` (RFC 6265bis)."""
    app = create_app(box, WebSettings(data=tmp_path, behind_proxy=True))
    planted = app.test_client().post("/staff/sign-in", data={"badge": BADGE, "pin": PIN}).headers["Set-Cookie"]
    value = planted.partition(";")[0].partition("=")[2]

    def status(name: str) -> int:
        headers = {"X-Forwarded-Proto": "https", "Cookie": f"{name}={value}"}
        return app.test_client(use_cookies=False).get("/staff/", headers=headers).status_code

    assert status("staff") == 303
    assert status("__Host-staff") == 200


def test_signing_in_anew_ends_the_sign_in_before(app: Flask, door: Phone):
    before = door.http.get_cookie("staff", path="/staff")
    assert before is not None
    door.send(door.get("/staff/sign-in"), "", badge=BADGE, pin=PIN)
    after = door.http.get_cookie("staff", path="/staff")
    assert after is not None
    assert after.value != before.value
    thief = app.test_client(use_cookies=False)
    assert thief.get("/staff/", headers={"Cookie": f"staff={before.value}"}).status_code == 303
    assert thief.get("/staff/", headers={"Cookie": f"staff={after.value}"}).status_code == 200


def test_a_print_job_number_no_table_can_hold_is_not_found(door: Phone):
    fields = next(each for action, each in forms(door.get("/staff/")) if action == "/staff/switches")
    door.post(f"/staff/jobs/{2**64}/reprint", fields)
    assert door.status == 404


def test_a_name_finds_people_and_one_tap_admits_them(door: Phone, phone: Phone):
    phone.send(phone.hold(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}), "/confirm", name="Zoë <b>Müller")
    page = door.get("/staff/orders?code=mueller")
    assert "<bdi>Zoë &lt;b&gt;Müller</bdi>" in page
    assert verdict(door.send(page, "check-ins")) == "admitted: Admitted"
    page = door.get("/staff/orders?code=mull zo")
    assert "Admitted at" in page
    page = door.send(page, "undo")
    assert "undone" in page


def test_an_unpaid_party_found_by_name_pays_and_comes_in_with_one_tap(door: Phone, phone: Phone, box: TestBox):
    phone.send(phone.hold(**{f"q.{ADULT}": "2"}), "/confirm", name="Ann")
    page = door.get("/staff/orders?code=ann")
    assert "To pay: €24.00" in page
    form = page
    assert verdict(door.send(page, "parties", method="cash")) == "admitted: Admitted"
    assert verdict(door.send(form, "parties", method="cash")) == "admitted: Admitted"
    assert (count(box, "payment"), count(box, "check_in")) == (1, 2)


def test_a_name_that_nobody_has_says_so(door: Phone):
    page = door.get("/staff/orders?code=nobody")
    assert door.status == 404
    assert "Nobody was found" in page


def test_the_door_page_says_what_to_do_about_each_device_and_when_the_desk_is_silent(door: Phone, box: TestBox):
    """In the reader's language, numbered as in the settings; an old row says nothing about now."""
    box.run(lambda unit: hardware.report(unit, "scanner_2", "absent", "The scanner is unplugged.", unit.now.wall_ms))
    page = door.get("/staff/")
    assert "Scanner 2: not there" in page
    assert "Type codes; it comes back by itself when plugged in." in page
    assert "Codes eintippen" in door.get("/staff/?lang=de")
    box.turn.advance(90_000)
    assert "The desk has said nothing for a minute" in door.get("/staff/")


def test_the_door_page_says_that_the_hotspot_is_full_and_what_helps(door: Phone, box: TestBox):
    """The figures are the driver's, the words the reader's."""
    reason = "20 of 20 phones are on the Wi-Fi: it is full; 2 more could not come in."
    box.run(lambda unit: hardware.report(unit, "hotspot", "degraded", reason, unit.now.wall_ms))
    page = door.get("/staff/")
    assert "Wi-Fi of the guests: full" in page
    assert "Phones on the Wi-Fi: 20 of 20. 2 other phones were turned away." in page
    assert "Ask guests who have their tickets to leave the Wi-Fi" in page
    german = door.get("/staff/?lang=de")
    assert "WLAN der Gäste: voll" in german
    assert "Telefone im WLAN: 20 von 20. 2 weitere Telefone wurden abgewiesen." in german
    assert "could not come in" not in german
    figures = door.get("/metrics")
    assert 'marquee_hotspot{what="refused"} 2.0' in figures
    assert 'marquee_hardware{name="hotspot",state="degraded"} 1.0' in figures


def test_people_are_scanned_out_on_their_own_page_and_the_head_count_follows(door: Phone, phone: Phone):
    code = ticket_code(phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}))
    scan(door, code)
    page = door.send(door.get("/staff/exit"), "check-ins", code=code)
    assert door.path == "/staff/exit"
    assert "Counted out." in page
    assert '<span class="count">0</span> of at most 30' in page
    assert verdict(scan(door, code)) == "refused: No coming back"
    page = door.send(door.get("/staff/exit"), "check-ins", code="")
    assert door.status == 422


def test_a_lane_is_switched_to_out_and_back(door: Phone, box: TestBox):
    box.run(lambda unit: door_service.check_in(unit, "x", BADGE, "lane <1>"))
    page = door.send(door.get("/staff/more"), "switches", value="out")
    assert "lane &lt;1&gt;</bdi>: counts out" in page
    assert "counts in" in door.send(page, "switches", value="in")


def test_tickets_are_printed_for_a_guest_who_asks_once_per_form_paid_or_not(phone: Phone, door: Phone, box: TestBox):
    code = re.search(r'class="code">([0-9A-Z-]{9})<', phone.send(phone.hold(**{f"q.{ADULT}": "2"}), "/confirm"))
    assert code is not None
    page = door.get(f"/staff/orders?code={code[1]}")
    for _ in range(2):
        door.send(page, "/staff/tickets")
    with box.database.read() as db:
        (job,) = db.execute(tables.print_job.select()).all()
    assert job.kind == "receipt"
    paper = documents.decode(job.document)
    assert isinstance(paper, documents.SalesReceipt)
    assert (len(paper.tickets), paper.paid_minor, paper.method) == (2, 0, "")
    phone.send(phone.get(f"{phone.path}/cancel"), "/cancel")
    assert "No ticket of this order stands." in door.send(page, "/staff/tickets", key="another")
    assert door.status == 422
