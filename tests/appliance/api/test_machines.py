"""What phones, monitors and proxies ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from appliance.domain.errors import Refusal
from appliance.domain.experiments import STAGES
from appliance.services import hardware
from appliance.web.problems import KINDS
from tests.appliance.api.conftest import Answer, Api
from tests.support.box import ROOM, TestBox, make_box


def test_alive_and_ready(api: Api) -> None:
    assert api("GET", "/healthz").json == {"status": "ok"}
    ready = api("GET", "/readyz")
    assert (ready.status_code, ready.json["status"]) == (200, "ready")
    assert ready.json["checks"] == {"database": "ok", "schema": "ok", "catalogue": "ok"}


def test_without_a_catalogue_or_with_another_schema_a_device_is_not_ready(app_of, tmp_path: Path) -> None:
    from mqtt_bridge.protocol.catalogue import EMPTY

    folder = tmp_path / "fresh"
    folder.mkdir()
    box = make_box(folder, catalogue=EMPTY)
    api = Api(app_of(box).test_client(), {})
    answer = api("GET", "/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "not_ready")
    assert answer.json["checks"]["catalogue"] == "none has arrived yet"
    assert api("GET", "/healthz").status_code == 200
    with box.database.write() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    assert "needs" in api("GET", "/readyz").json["checks"]["schema"]
    box.database.close()


def figures(answer: Answer) -> dict[tuple[str, ...], float]:
    """Samples by name and values of the labels, in order of the labels' names."""
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_figures_come_from_the_rows_and_from_all_requests(api: Api) -> None:
    before = figures(api("GET", "/metrics"))
    api.book(quantity=2)
    api.hold()
    after = figures(api("GET", "/metrics"))
    assert after["marquee_stock_total", ROOM, "granted"] == 10
    assert after["marquee_stock_total", ROOM, "sold"] == 2
    assert after["marquee_stock_now", ROOM, "available"] == 7
    assert after["marquee_stock_now", ROOM, "held"] == 1
    assert after["marquee_orders", "promised", "confirmed"] == 1
    assert after["marquee_holds", "open"] == 1
    assert after["marquee_outbox_messages",] >= 1
    key = ("marquee_http_requests_total", "POST /api/v1/holds", "2xx")
    assert after[key] == before.get(key, 0) + 2


def test_figures_are_for_this_machine_and_for_staff_only(api: Api, staff: Api) -> None:
    guest = api.at("192.168.4.20")
    refused = guest("GET", "/metrics")
    assert (refused.status_code, refused.json["type"]) == (403, "/problems/unauthorised")
    assert api("GET", "/metrics", X_Forwarded_For="192.168.4.20").status_code == 403
    assert guest("GET", "/metrics", X_Forwarded_For="127.0.0.1").status_code == 403
    assert guest("GET", "/metrics", Authorization="Bearer wrong").status_code == 401
    assert staff.at("192.168.4.20")("GET", "/metrics").status_code == 200
    assert api("GET", "/metrics").status_code == 200


def test_behind_a_proxy_the_phone_is_who_the_proxy_saw(app_of, box: TestBox) -> None:
    api = Api(app_of(box, behind_proxy=True).test_client(), {})
    assert api("GET", "/metrics", X_Forwarded_For="192.168.4.20").status_code == 403
    assert api("GET", "/metrics", X_Forwarded_For="127.0.0.1, 192.168.4.20").status_code == 403
    assert api("GET", "/metrics", X_Forwarded_For="127.0.0.1").status_code == 200


def test_another_machine_may_be_allowed_by_its_address(app_of, box: TestBox) -> None:
    api = Api(app_of(box, metrics_from=("10.1.1.1",)).test_client(), {})
    assert api.at("10.1.1.1")("GET", "/metrics").status_code == 200
    assert api("GET", "/metrics").status_code == 403


def test_phones_learn_where_the_portal_is(api: Api, app_of, box: TestBox) -> None:
    answer = api("GET", "/.well-known/captive-portal", Host="192.168.4.1")
    assert answer.content_type == "application/captive+json"
    assert answer.json["captive"] is True
    assert answer.json["user-portal-url"] == "http://192.168.4.1/welcome"
    assert answer.headers["Cache-Control"] == "no-store"
    named = Api(app_of(box, public_url="https://v7.example.org").test_client(), {})
    assert named("GET", "/.well-known/captive-portal").json["user-portal-url"] == "https://v7.example.org/welcome"


def test_every_type_of_problem_has_a_page_and_every_refusal_a_type(api: Api) -> None:
    for slug, (title, _) in KINDS.items():
        answer = api("GET", f"/problems/{slug}")
        assert answer.status_code == 200
        assert title in answer.text
    assert api("GET", "/problems/none").status_code == 404
    kinds = [Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert kind.problem in KINDS


def test_logs_name_the_route_and_never_what_its_address_carries(api: Api, staff: Api) -> None:
    with capture_logs() as logs:
        order = api.book()
        api("GET", f"/api/v1/orders/{order['order']}", Client_Token="secret-token")
        staff("POST", "/api/v1/check-ins", {"code": order["tickets"][0]["code"]})
        api("POST", "/api/v1/staff/tokens", {"badge": "A7", "pin": "9753"})
    lines = [each for each in logs if each["event"] == "request"]
    assert [each["route"] for each in lines] == [
        "/api/v1/holds",
        "/api/v1/orders",
        "/api/v1/orders/<order>",
        "/api/v1/check-ins",
        "/api/v1/staff/tokens",
    ]
    assert lines[-1]["problem"] == "unauthorised"
    assert lines[1]["order"] == order["code"]
    assert (lines[3]["reason"], lines[3]["ticket"]) == ("unpaid", order["tickets"][0]["ticket"])
    written = repr(logs)
    for private in (
        order["order"],
        order["tickets"][0]["receipt"],
        "secret-token",
        "9753",
        staff.headers["Authorization"],
    ):
        assert private not in written


@pytest.mark.parametrize(
    "path", ["/api/v1/events", "/api/v1/orders/x", "/", "/nowhere", "/staff/sign-in", "/problems/invalid"]
)
def test_every_answer_carries_the_security_headers(api: Api, path: str) -> None:
    headers = api("GET", path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


def test_personal_answers_are_not_cached(api: Api) -> None:
    order = api.book()
    assert api("GET", f"/api/v1/orders/{order['order']}").headers["Cache-Control"] == "no-store"
    assert api.hold().headers["Cache-Control"] == "no-store"


def test_the_figures_say_how_each_device_is_since_when_and_as_of_when(api: Api, box: TestBox) -> None:
    """A timestamp that stands still means that the desk does not run."""
    since_ms = box.turn().wall_ms - 60_000
    box.run(lambda unit: hardware.report(unit, "scanner_2", "absent", "Unplugged.", since_ms))
    found = figures(api("GET", "/metrics"))
    assert found["marquee_hardware", "scanner_2", "absent"] == 1
    assert found["marquee_hardware_since_timestamp_seconds", "scanner_2"] == since_ms / 1000
    assert found["marquee_hardware_seen_timestamp_seconds", "scanner_2"] == box.turn().wall_ms / 1000


def test_the_figures_say_how_far_phones_come_with_an_event(api: Api) -> None:
    api("GET", "/events/river")
    api.book()
    found = figures(api("GET", "/metrics"))
    reached = [found.get(("marquee_phones_total", "river", "", stage, "")) for stage in STAGES]
    assert reached == [1, 1, 1, None]
