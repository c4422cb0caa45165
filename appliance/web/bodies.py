"""Strict reading of requests: JSON bodies into structs, keys and bearers from headers; whatever is odd is refused by name."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from flask import Response, request

from appliance.domain.errors import Invalid, Refusal, Unauthorised

T = TypeVar("T")

LARGEST_BODY = 64 * 1024
MOST_FORM_FIELDS = 200
JSON = "application/json"
IDEMPOTENCY_KEY = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_AT = re.compile(r" - at `(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<field>.*)`", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<field>.*)`", re.DOTALL)
_LONGEST_NAME = 60


class Malformed(Refusal):
    """The body is not JSON at all (400)."""

    problem = "invalid"
    status = 400


class WrongMediaType(Refusal):
    """The body is not labelled as JSON (415)."""

    problem = "invalid"
    status = 415


def read(kind: type[T]) -> T:
    """Return the request's JSON body as ``kind``.

    Raises ``WrongMediaType`` (415), ``Malformed`` (400) for what is not JSON, ``Invalid`` (422) naming the field that does not
    fit, and werkzeug's ``RequestEntityTooLarge`` (413) above 64 KiB.
    """
    body = request.get_data(cache=False)
    if request.mimetype != JSON:
        raise WrongMediaType(f"Send the body as JSON, with the header Content-Type: {JSON}.", field="body")
    return decode(body, kind)


def decode(body: bytes, kind: type[T]) -> T:
    """Return ``body`` as ``kind``; raises ``Malformed`` or ``Invalid``."""
    if not body.strip():
        raise Malformed("The body is empty. Send a JSON object.", field="body")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _does_not_fit(str(error)) from None
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8. Encode the JSON as UTF-8.", field="body") from None
    except (msgspec.DecodeError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Malformed(f"The body is not valid JSON: {what}.", field="body") from None


def _does_not_fit(text: str) -> Invalid:
    """Return the refusal for a message of msgspec, which ends with the path of the value."""
    found = _AT.search(text)
    path = found["path"].removeprefix("$").removeprefix(".") if found else ""
    words = text[: found.start()] if found else text
    if (unknown := _UNKNOWN.search(words)) is not None:
        field = _join(path, _short(unknown["field"]))
        return Invalid(f"There is no field {field}. Leave it out.", field=field)
    if (missing := _MISSING.search(words)) is not None:
        field = _join(path, missing["field"])
        return Invalid(f"The field {field} is missing. Add it.", field=field)
    field = path or "body"
    return Invalid(f"The value of {field} does not fit: {_lower_first(words.replace('`', ''))}.", field=field)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _short(name: str) -> str:
    shown = name.encode("unicode_escape").decode()
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}..."


def _lower_first(words: str) -> str:
    return words[:1].lower() + words[1:]


def query(name: str) -> str:
    """Return what is asked for behind the question mark, once and nothing else; raises ``Invalid``."""
    for other in request.args:
        if other != name:
            shown = _short(other)
            raise Invalid(f"There is no query {shown}. Leave it out.", field=shown)
    values = request.args.getlist(name)
    if len(values) != 1:
        raise Invalid(f"Give the query {name} once.", field=name)
    return values[0]


def idempotency_key() -> str:
    """Return the ``Idempotency-Key`` header, empty if there is none; raises ``Invalid`` if it has the wrong form."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        msg = (
            "The Idempotency-Key must have 1 to 128 visible ASCII characters. Send a fresh random one, such as a UUID."
        )
        raise Invalid(msg, field=IDEMPOTENCY_KEY)
    return key


def bearer() -> str:
    """Return the token of ``Authorization: Bearer``; raises ``Unauthorised`` without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        msg = "Sign in first: POST /api/v1/staff/tokens with badge and PIN, then send Authorization: Bearer <token>."
        raise Unauthorised(msg)
    return token


def answer(value: object, status: int = 200, media_type: str = JSON) -> Response:
    """Return a struct as a JSON response."""
    return Response(msgspec.json.encode(value), status, content_type=media_type)
