from __future__ import annotations

import msgspec
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Invalid, Refusal, Unauthorised
from appliance.web import bodies
from appliance.web.bodies import Malformed, WrongMediaType


class Line(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    quantity: int


class Body(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Line]


GOOD = b'{"items": [{"kind": "a", "quantity": 1}]}'


def test_a_body_that_fits_becomes_its_struct(app: Flask) -> None:
    for media_type in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        with app.test_request_context("/", method="POST", data=GOOD, content_type=media_type):
            assert bodies.read(Body) == Body([Line("a", 1)])


@pytest.mark.parametrize(
    ("body", "kind", "field", "words"),
    [
        (b'{"items": [{"kind": "a", "quantity": "1"}]}', Invalid, "items[0].quantity", "expected int, got str"),
        (b'{"items": [{"kind": "a", "quantity": true}]}', Invalid, "items[0].quantity", "got bool"),
        (b'{"items": [{"kind": "a", "quantity": 1.5}]}', Invalid, "items[0].quantity", "got float"),
        (b'{"items": [{"kind": "a"}]}', Invalid, "items[0].quantity", "missing"),
        (b'{"items": [{"kind": "a", "quantity": 1, "x": 1}]}', Invalid, "items[0].x", "Leave it out"),
        (b'{"x`<b>": 1}', Invalid, "x`<b>", "no field"),
        (b"[]", Invalid, "body", "expected object"),
        (b"null", Invalid, "body", "expected object"),
        (b"{}", Invalid, "items", "missing"),
        (b"", Malformed, "body", "empty"),
        (b"   ", Malformed, "body", "empty"),
        (b"{", Malformed, "body", "not valid JSON"),
        (b'{"items": NaN}', Malformed, "body", "not valid JSON"),
        (b'{"items": [{"kind": "\\ud800", "quantity": 1}]}', Malformed, "body", "not valid JSON"),
        (b'{"items": [{"kind": "\xff", "quantity": 1}]}', Malformed, "body", "UTF-8"),
        (b'\xef\xbb\xbf{"items": []}', Malformed, "body", "not valid JSON"),
        (b'{"items": ' + b"[" * 60_000, Invalid, "items[0]", "expected object"),
        (b'{"items": [{"kind": ' + b'{"a":' * 12_000, Invalid, "items[0].kind", "expected str"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(body: bytes, kind: type[Refusal], field: str, words: str) -> None:
    with pytest.raises(kind) as refused:
        bodies.decode(body, Body)
    assert refused.value.facts["field"] == field
    assert words in refused.value.detail


def test_a_long_unknown_name_is_not_echoed_in_full() -> None:
    with pytest.raises(Invalid) as refused:
        bodies.decode(b'{"' + b"x" * 5000 + b'": 1}', Body)
    assert len(refused.value.detail) < 200


@given(st.binary())
def test_no_bytes_raise_anything_but_a_refusal(body: bytes) -> None:
    with pytest.raises(Refusal):
        bodies.decode(body, Body)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_a_body_with_another_label_is_refused_with_the_right_one(app: Flask, media_type: str) -> None:
    with (
        app.test_request_context("/", method="POST", data=GOOD, content_type=media_type),
        pytest.raises(WrongMediaType, match="application/json"),
    ):
        bodies.read(Body)


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "\u00e9", "\x7f"])
def test_a_key_of_the_wrong_form_is_refused(app: Flask, key: str) -> None:
    with app.test_request_context("/", headers={"Idempotency-Key": key}), pytest.raises(Invalid, match="128"):
        bodies.idempotency_key()


def test_a_key_may_be_left_out_or_be_any_visible_text(app: Flask) -> None:
    with app.test_request_context("/"):
        assert bodies.idempotency_key() == ""
    with app.test_request_context("/", headers={"Idempotency-Key": '"~!' + "x" * 125}):
        assert len(bodies.idempotency_key()) == 128


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Basic abc", "token"])
def test_without_a_bearer_nobody_is_signed_in(app: Flask, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    with app.test_request_context("/", headers=headers), pytest.raises(Unauthorised):
        bodies.bearer()


def test_the_bearer_is_read_whatever_its_case(app: Flask) -> None:
    with app.test_request_context("/", headers={"Authorization": "bearer abc"}):
        assert bodies.bearer() == "abc"
