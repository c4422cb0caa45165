"""The operator decides: what happened, what each remedy costs, one click, all of a kind, by rule; dates cancelled and moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from appliance.console import create_app
from mqtt_bridge.cloud.session_changes import move_session
from mqtt_bridge.cloud.store import create_operator_token, current_catalogue
from tests.mqtt_bridge.cloud.town import Town, town_in

TOKEN = "operator-token-of-the-tests"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with town_in(tmp_path / "cloud.db") as made:
        create_operator_token(made.database, TOKEN, made.now_ms)
        yield made


@pytest.fixture
def operator(town: Town, tmp_path: Path) -> FlaskClient:
    """A signed-in browser."""
    client = create_app(town.database, tmp_path, clock=lambda: town.now_ms).test_client()
    assert client.post("/sign-in", data={"token": TOKEN}).status_code == 303
    return client


def text(client: FlaskClient, path: str) -> str:
    """A page's words, one space between."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def press(client: FlaskClient, path: str, action: str, **wanted: str) -> str:
    """Send the first form of a page with this action whose hidden fields are as wanted; the words it leads to."""
    for where, body in re.findall(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', client.get(path).text, re.DOTALL):
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', body))
        if re.fullmatch(action, where) and wanted.items() <= fields.items():
            answer = client.post(where, data=fields)
            if answer.status_code == 303:
                return text(client, answer.headers["Location"])
            return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())
    raise AssertionError(f"no form {action} with {wanted}")


def test_nobody_sees_or_decides_anything_without_signing_in(town: Town, tmp_path: Path) -> None:
    """Every page and every button asks for the token first."""
    client = create_app(town.database, tmp_path, clock=lambda: town.now_ms).test_client()
    for path in ("/repair", "/sessions", "/sessions/s"):
        assert client.get(path).headers["Location"] == "/sign-in"
    for path in ("/repair/1", "/repair/all", "/repair/rules", "/sessions/s/cancel", "/sessions/s/move"):
        assert client.post(path, data={"remedy": "dismiss"}).headers["Location"] == "/sign-in"
    assert "cancelled" not in str(town.rows("SELECT action FROM audit"))


def test_a_cancelled_date_is_worked_through_by_one_click_with_its_price(operator: FlaskClient, town: Town) -> None:
    """Cancel, see each booking with what it costs, refund one, leave the other, read who did what."""
    town.sold("o1")
    town.sold("o2", 1)
    assert "No tickets contradict each other." in text(operator, "/repair")
    page = text(operator, "/sessions/s")
    assert "Bookings 2 Tickets 3, 0 inside Paid for 37.50 EUR" in page
    said = press(operator, "/sessions/s", "/sessions/s/cancel")
    assert "3 tickets of 2 bookings listed for repair" in said
    assert "cancelled" in said
    listed = text(operator, "/repair")
    assert "Tickets of a cancelled date One Night" in listed
    assert "25.00 EUR to pay back" in listed
    assert "12.50 EUR to pay back" in listed
    first = press(operator, "/repair", r"/repair/\d+", remedy="refund", amount="2500")
    assert "2 withdrawn: 25.00 EUR to pay back" in first
    second = press(operator, "/repair", r"/repair/\d+", remedy="dismiss")
    assert "Left as it is." in second
    decided = text(operator, "/repair?state=decided")
    assert "session cancelled: refund" in decided
    assert "session cancelled: dismissed" in decided
    actions = [row[0] for row in town.rows("SELECT action FROM audit ORDER BY id")]
    assert {"session cancelled", "repaired: refund", "contradiction dismissed"} <= set(actions)


def test_all_of_a_kind_are_decided_by_one_click_and_the_sum_is_shown_before(operator: FlaskClient, town: Town) -> None:
    """The price of the whole is the sum of its parts."""
    for order in ("o1", "o2", "o3"):
        town.sold(order)
    press(operator, "/sessions/s", "/sessions/s/cancel")
    assert "75.00 EUR to pay back" in text(operator, "/repair")
    assert "3 decided." in press(operator, "/repair", "/repair/all", remedy="refund")
    assert "No tickets contradict each other." in text(operator, "/repair")


def test_a_second_click_on_an_old_page_changes_nothing_and_says_why(operator: FlaskClient, town: Town) -> None:
    """Whoever was faster is named, and what was done."""
    town.sold("o1")
    press(operator, "/sessions/s", "/sessions/s/cancel")
    number = town.listed()[0].id
    fields = {"remedy": "refund", "target": "", "oversell": "0", "amount": "2500"}
    assert operator.post(f"/repair/{number}", data=fields).status_code == 303
    again = operator.post(f"/repair/{number}", data=fields)
    assert "has decided this already" in again.text
    assert "there is no such entry" in operator.post("/repair/99", data=fields).text


def test_a_rule_is_set_shown_applied_and_taken_back(operator: FlaskClient, town: Town) -> None:
    """Off at first; while on it decides what waits and what comes."""
    town.sold("o1")
    press(operator, "/sessions/s", "/sessions/s/cancel")
    answer = operator.post("/repair/rules", data={"kind": "session-cancelled", "remedy": "refund"})
    said = text(operator, answer.headers["Location"])
    assert "Rule set. 1 decided by rule." in said
    assert "Tickets of a cancelled date refund" in said
    operator.post("/repair/rules", data={"kind": "session-cancelled", "remedy": ""})
    assert "Tickets of a cancelled date a person decides" in text(operator, "/repair")
    assert "no automatic choice" in operator.post("/repair/rules", data={"kind": "fork", "remedy": "refund"}).text


def test_a_date_is_moved_in_its_own_time_zone_and_taken_back(operator: FlaskClient, town: Town) -> None:
    """The form speaks the place's local time."""
    page = operator.get("/sessions/s").text
    assert 'value="2023-11-15T00:13"' in page
    fields = {"venue": "yard", "starts": "2023-11-15T03:13", "ends": "2023-11-15T05:00", "notice": "Rain."}
    answer = operator.post("/sessions/s/move", data=fields)
    said = text(operator, answer.headers["Location"])
    assert "One Night (tonight) is moved" in said
    assert "The Yard" in said
    assert "moved" in text(operator, "/sessions")
    refused = operator.post("/sessions/s/move", data=fields)
    assert "there and then already" in refused.text
    assert "is as the file says" in press(operator, "/sessions/s", "/sessions/s/restore")
    assert operator.get("/sessions/nothing").status_code == 404
    assert operator.post("/sessions/s/paint").status_code == 404


def at(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def night_of_the_clocks(town: Town) -> None:
    """Tonight's date lies in the night in which clocks are set back, and ends in the second 02:30 of it."""
    starts, ends = at("2026-10-24T22:00:30+02:00"), at("2026-10-25T02:30+01:00")
    move_session(town.database, "s", "ada", town.now_ms, starts_at_ms=starts, ends_at_ms=ends)


def placed(town: Town) -> tuple[str, int, int]:
    with town.database.read() as db:
        _, found = current_catalogue(db).event_session["s"]
    return found.venue, found.starts_at_ms, found.ends_at_ms


def test_who_changes_the_venue_alone_moves_no_time_not_in_the_night_of_the_clocks_either(
    operator: FlaskClient, town: Town
) -> None:
    """The form posts both times as it showed them; the end was the second 02:30, which the text does not say."""
    night_of_the_clocks(town)
    before = placed(town)
    page = operator.get("/sessions/s").text
    shown = dict(re.findall(r'type="datetime-local" name="(\w+)" value="([^"]*)"', page))
    assert shown == {"starts": "2026-10-24T22:00", "ends": "2026-10-25T02:30"}
    assert "at +01:00" in page
    assert operator.post("/sessions/s/move", data={"venue": "yard", **shown}).status_code == 303
    assert placed(town) == ("yard", *before[1:])


def test_a_time_that_happens_twice_is_asked_for_and_one_that_clocks_skip_is_refused(
    operator: FlaskClient, town: Town
) -> None:
    """As a catalogue file with such a time is; what else was typed is kept."""
    before = placed(town)
    typed = {"venue": "yard", "starts": "2026-10-25T00:00", "ends": "2026-10-25T02:30", "notice": "Longer."}
    asked = operator.post("/sessions/s/move", data=typed).text
    assert "choose which of the two times is meant" in asked
    assert re.findall(r'<option value="(2026[^"]*)"', asked) == ["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"]
    assert 'value="2026-10-25T00:00"' in asked
    assert 'value="Longer."' in asked
    skipped = {**typed, "ends": "2027-03-28T02:30"}
    assert "clocks skip it" in operator.post("/sessions/s/move", data=skipped).text
    assert placed(town) == before
    chosen = {**typed, "ends": "2026-10-25T02:30+01:00"}
    assert operator.post("/sessions/s/move", data=chosen).status_code == 303
    assert placed(town) == ("yard", at("2026-10-25T00:00+02:00"), at("2026-10-25T02:30+01:00"))


def test_rebooking_says_where_and_how_much_its_pool_has(operator: FlaskClient, town: Town) -> None:
    """What is missing in the pool is called back by the same click."""
    town.sold("o1")
    press(operator, "/sessions/s", "/sessions/s/cancel")
    words = text(operator, "/repair")
    assert "Rebook 2 tickets to The Yard" in words
    assert "takes 2 from 'benches', whose pool has" in words
    said = press(operator, "/repair", r"/repair/\d+", remedy="rebook", target="s2")
    assert "rebooked" in said or "waits for" in said


def test_deciding_all_at_a_price_that_grew_changes_nothing(operator: FlaskClient, town: Town) -> None:
    """The sum that was shown is the sum that is agreed to."""
    for order in ("o1", "o2"):
        town.sold(order)
    press(operator, "/sessions/s", "/sessions/s/cancel")
    form = {"kind": "session-cancelled", "session": "s", "remedy": "refund", "target": "", "amount": "2500"}
    assert "price of all has grown" in operator.post("/repair/all", data=form).text
    assert len(town.listed()) == 2
