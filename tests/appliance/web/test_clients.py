from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flask import Flask

from appliance.services.clients import of_no_phone
from appliance.web import clients
from appliance.web.clients import Guest
from appliance.web.leases import Leases
from appliance.web.site import Site


def call(app: Flask, here: Site, address: str = "10.0.0.1", token: str = "", key: str = "", form: str = "") -> Guest:
    headers = {clients.HEADER: token} if token else {}
    with app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": address}):
        return clients.identify(here, form or None, retry_key=key)


def test_a_phone_without_a_token_is_new_and_gets_one_that_names_it(app: Flask, here: Site) -> None:
    first = call(app, here)
    assert not first.client.known
    assert first.client.address == "10.0.0.1"
    assert call(app, here).client.id != first.client.id
    again = call(app, here, "10.0.0.99", token=first.token or "")
    assert again.client.known
    assert again.client.id == first.client.id
    assert again.token == first.token


def test_a_token_in_the_form_counts_like_one_in_the_header(app: Flask, here: Site) -> None:
    first = call(app, here)
    assert call(app, here, form=first.token or "").client.id == first.client.id


def test_a_token_of_another_device_or_a_made_up_one_is_nobody(app: Flask, here: Site) -> None:
    assert not call(app, here, token="nonce:abc").client.known
    other = replace(here, tokens=type(here.tokens)(b"\1" * 64))
    foreign = call(app, other).token or ""
    assert not call(app, here, token=foreign).client.known
    form_token = here.tokens.mint("form", "nonce:abc")
    assert not call(app, here, token=form_token).client.known


def test_a_phone_that_lost_its_first_answer_is_the_same_client_under_the_same_key(app: Flask, here: Site) -> None:
    first = call(app, here, key="k1")
    assert call(app, here, key="k1").client.id == first.client.id
    assert call(app, here, key="k1", token=first.token or "").client.id == first.client.id
    assert call(app, here, key="k2").client.id != first.client.id


def test_guessing_a_weak_key_from_another_address_leads_to_somebody_else(app: Flask, here: Site) -> None:
    assert call(app, here, "10.0.0.1", key="1").client.id != call(app, here, "10.0.0.2", key="1").client.id


def test_on_the_hotspot_the_lease_names_the_phone_whatever_token_it_shows(
    app: Flask, here: Site, tmp_path: Path
) -> None:
    path = tmp_path / "leases"
    path.write_text("1 aa:bb:cc:dd:ee:ff 10.0.0.1 * *\n1 aa:bb:cc:dd:ee:00 10.0.0.2 * *\n")
    hotspot = replace(here, leases=Leases(path))
    phone = call(app, hotspot)
    assert phone.token is None
    assert phone.client.known
    assert "aa:bb" not in phone.client.id
    stolen = call(app, here).token or ""
    assert call(app, hotspot, token=stolen, key="k").client.id == phone.client.id
    assert call(app, hotspot, "10.0.0.2").client.id != phone.client.id
    assert not call(app, hotspot, "10.0.0.3").client.known


def test_no_phone_has_an_empty_name_or_one_of_what_stands_for_no_phone(app: Flask, here: Site) -> None:
    """Whatever it says of itself: limits count orders and places of unknown phones under such names."""
    mine = call(app, here).token or ""
    others = {of_no_phone("entry", "x"), of_no_phone("order", "x"), ""}
    for said in ("", " ", "entry:x", "order:x", here.tokens.mint("order-manage", "entry:x"), mine):
        for token, form in ((said, ""), ("", said)):
            found = call(app, here, token=token, form=form).client.id
            assert found.startswith("nonce:")
            assert found not in others
