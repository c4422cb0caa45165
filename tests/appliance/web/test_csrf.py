from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from appliance.web import csrf
from appliance.web.csrf import Forbidden
from appliance.web.site import Site


def post(app: Flask, here: Site, token: str, subject: str = "phone", strict: bool = False, **headers: Any) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with app.test_request_context("/", "http://box.example:8080", method="POST", data={"csrf": token}, headers=named):
        csrf.check(here, subject, strict=strict)


def test_a_form_made_for_this_phone_is_accepted_with_and_without_browser_headers(app: Flask, here: Site) -> None:
    token = csrf.token(here, "phone")
    post(app, here, token)
    post(app, here, token, Origin="http://box.example:8080", Sec_Fetch_Site="same-origin")
    post(app, here, token, Sec_Fetch_Site="none")


def test_a_form_made_for_another_phone_or_by_another_page_is_refused(app: Flask, here: Site) -> None:
    with pytest.raises(Forbidden) as refused:
        post(app, here, csrf.token(here, "other"))
    assert refused.value.status == 403
    for bad in ("", "x", here.tokens.mint("client", "phone")):
        with pytest.raises(Forbidden):
            post(app, here, bad)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://box.example:9999"},
        {"Origin": "https://box.example.evil"},
        {"Origin": "http://[broken"},
    ],
)
def test_what_the_browser_says_came_from_elsewhere_is_refused_even_with_a_good_token(
    app: Flask, here: Site, headers: dict[str, Any]
) -> None:
    with pytest.raises(Forbidden):
        post(app, here, csrf.token(here, "phone"), **headers)


def test_a_hidden_origin_is_enough_for_a_guest_but_not_for_a_page_with_a_cookie(app: Flask, here: Site) -> None:
    token = csrf.token(here, "phone")
    post(app, here, token, Origin="null")
    with pytest.raises(Forbidden):
        post(app, here, token, strict=True, Origin="null")
    with pytest.raises(Forbidden):
        post(app, here, token, strict=True, Sec_Fetch_Site="same-site")
