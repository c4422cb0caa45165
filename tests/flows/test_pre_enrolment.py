"""Pre-enrolment with real processes: two venues, the cloud's verifier, a real mail server, links that are cut and healed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from appliance.demo.town import EXAMPLE
from tests.flows.test_two_venues import scan
from tests.support.demo import Demo, running, wait_for
from tests.support.http import Answer, request

pytestmark = pytest.mark.slow
PLAY = EXAMPLE.with_name("members.yaml")


def kind(demo: Demo, session: int, name: str) -> dict[str, Any]:
    sessions = request("GET", demo.venue(2, "/api/v1/events")).json["events"][0]["sessions"]
    return next(each for each in sessions[session]["ticket_types"] if each["name"] == name)


def enrol(demo: Demo, k: int, name: str, contact: str, **more: str) -> dict[str, Any]:
    items = [{"ticket_type": kind(demo, 0, name)["id"], "quantity": 1}]
    hold = request("POST", demo.venue(k, "/api/v1/holds"), {"items": items}).json
    answer = request("POST", demo.venue(k, "/api/v1/orders"), {"hold": hold["hold"], "contact": contact, **more})
    assert (answer.status, answer.json["status"]) == (201, "pending"), answer
    return answer.json


def seen(demo: Demo, k: int, order: dict[str, Any]) -> dict[str, Any]:
    return request("GET", demo.venue(k, f"/api/v1/orders/{order['order']}")).json


def mails(demo: Demo, to: str) -> list[dict[str, str]]:
    state = request("GET", f"http://127.0.0.1:{demo.base_port + 11}/demo/v1/state").json
    return [each for each in state["mails"] if each["to"] == to]


def mail(demo: Demo, to: str) -> str:
    wait_for(lambda: bool(mails(demo, to)), f"a mail to {to}", 30)
    return mails(demo, to)[0]["text"]


def type_code(demo: Demo, k: int, order: dict[str, Any], code: str) -> Answer:
    return request("POST", demo.venue(k, f"/api/v1/orders/{order['order']}/proofs"), {"code": code})


def reason(demo: Demo, k: int, order: dict[str, Any]) -> str | None:
    found: str | None = scan(demo, k, order["tickets"][0]["receipt"])["reason"]
    return found


def wait_until(demo: Demo, k: int, order: dict[str, Any], status: str) -> None:
    wait_for(lambda: seen(demo, k, order)["status"] == status, f"{status} at venue {k}", 30)


def test_a_code_a_link_and_a_list_of_members_decide_everywhere_also_late(tmp_path: Path) -> None:
    with running(data=tmp_path / "town", catalogue=PLAY) as demo:
        wait_for(lambda: kind(demo, 0, "A chair")["state"] == "on_sale", "stock at venue 2")

        # The code arrives, the venue goes offline, the code is typed there, and the verdict comes with the link.
        late = enrol(demo, 2, "A chair", "ada@example.org", language="de")
        text = mail(demo, "ada@example.org")
        assert "Diesen Code auf der Seite der Buchung eingeben" in text
        [code] = re.findall(r"\b\d{4} \d{4}\b", text)
        wait_for(lambda: reason(demo, 1, late) == "pending", "the door to hear of it")
        demo.link(2, up=False)
        assert type_code(demo, 2, late, "00000000").status == 202
        assert type_code(demo, 2, late, code).status == 202
        offline = enrol(demo, 2, "A chair", "cy@example.org")
        assert seen(demo, 2, late)["status"] == "pending"
        demo.link(2, up=True)
        wait_until(demo, 2, late, "confirmed")
        wait_for(lambda: reason(demo, 1, late) == "unpaid", "the door to believe it; the paper is the old one")

        # The link in a mail is good at any venue, and asks before it proves anything.
        link = re.findall(r"http://\S+/prove/(\w+)", mail(demo, "cy@example.org"))[0]
        assert b"Is this you?" in request("GET", demo.venue(1, f"/prove/{link}")).body
        assert seen(demo, 2, offline)["status"] == "pending"
        assert request("POST", demo.venue(1, f"/prove/{link}")).status == 200
        wait_until(demo, 2, offline, "confirmed")

        # Members: one is on the list, one was until January.
        member = enrol(demo, 2, "A member's chair", "ada@example.org", member="l-101")
        wait_for(lambda: len(mails(demo, "ada@example.org")) > 1, "another mail", 30)
        [code] = re.findall(r"\b\d{4} \d{4}\b", mails(demo, "ada@example.org")[0]["text"])
        type_code(demo, 2, member, code)
        wait_until(demo, 2, member, "confirmed")
        wait_for(lambda: scan(demo, 1, member["tickets"][0]["code"])["verdict"] == "admitted", "a member to come in")
        gone = enrol(demo, 2, "A member's chair", "bo@example.org", member="L-102")
        [code] = re.findall(r"\b\d{4} \d{4}\b", mail(demo, "bo@example.org"))
        type_code(demo, 2, gone, code)
        wait_until(demo, 2, gone, "refused")
        assert seen(demo, 2, gone)["refusal"] == "member"
        assert reason(demo, 1, gone) == "refused"
        wait_for(lambda: cancelled(demo) == 1, "its stock to come back by the door's word", 30)


def cancelled(demo: Demo) -> int:
    """Tickets of the first evening's quota that were counted cancelled."""
    wanted = kind(demo, 0, "A chair")["id"]
    quota = next(each for each in demo.stock() if wanted in each["ticket_types"])
    return sum(each["cancelled"] for each in quota["devices"])
