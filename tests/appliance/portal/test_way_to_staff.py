"""The pool of guests leads who looks for staff's pages there to the name that phones believe, while they do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from appliance.portal import WebSettings, create_app
from appliance.services.certificates import LAST_TRUSTED
from tests.support.authority import Authority
from tests.support.box import TestBox

NAME, OWN = "tickets.example.org", "https://tickets.home.arpa"


@pytest.fixture
def pool(tmp_path: Path, box: TestBox) -> FlaskClient:
    """The pool of guests of a device with a certificate, behind its proxy."""
    pem, _ = Authority(tmp_path / "authority").issue(NAME, NAME)
    box.turn.trust(False)
    web = WebSettings(tmp_path, secure_url=f"https://{NAME}", certificate=Path(pem), behind_proxy=True, staff=False)
    return create_app(box, web).test_client()


def led(pool: FlaskClient, path: str, **headers: str) -> tuple[int, str | None]:
    answer = pool.get(path, headers={"X-Marquee-Staff": OWN, **headers})
    return answer.status_code, answer.headers.get("Location")


@pytest.mark.parametrize("path", ["/staff/", "/staff", "/staff/sign-in", "/staff/orders?code=x&at=2"])
def test_a_page_of_staff_is_shown_where_it_is(pool: FlaskClient, path: str) -> None:
    assert led(pool, path) == (302, f"https://{NAME}{path}")


def test_while_phones_would_not_believe_it_the_devices_own_name_is_told(pool: FlaskClient, tmp_path: Path) -> None:
    """Half a day on, as far as this device knows."""
    (tmp_path / LAST_TRUSTED).write_text(str(time.time_ns() // 1_000_000 + 13 * 3_600_000), "ascii")
    assert led(pool, "/staff/orders?code=x") == (302, f"{OWN}/staff/orders?code=x")


def test_without_any_address_there_is_nothing(tmp_path: Path, box: TestBox) -> None:
    """And the word of a header counts from the proxy alone."""
    for behind_proxy, headers in ((True, {}), (False, {"X-Marquee-Staff": OWN})):
        pool = create_app(box, WebSettings(tmp_path, behind_proxy=behind_proxy, staff=False)).test_client()
        assert pool.get("/staff/", headers=headers).status_code == 404


def test_nothing_is_sent_there(pool: FlaskClient) -> None:
    assert pool.post("/staff/sign-in", data={"pin": "1"}, headers={"X-Marquee-Staff": OWN}).status_code == 405
