"""Logs: one JSON object a line, with ids, without people and secrets."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from appliance import logs


def test_a_line_names_process_device_and_order_and_hides_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Ids may be logged; names, contacts, tokens and PINs never are, even by mistake."""
    logs.configure("info", "json", "portal", device="hall-1")
    structlog.get_logger().info("order_confirmed", order="abc", name="Zoë", contact="z@example.org", token="t", pin="1")
    line = capsys.readouterr().err
    entry = json.loads(line)
    assert {entry["process"], entry["device"], entry["order"], entry["level"]} == {"portal", "hall-1", "abc", "info"}
    assert not any(secret in line for secret in ("Zo", "example.org", '"t"', '"1"'))


def test_a_traceback_shows_places_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Messages of exceptions may quote what a person typed."""
    logs.configure("info", "json", "desk")
    try:
        int("my secret name")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("somewhere").exception("also failed")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["error"] for line in lines] == ["ValueError", "ValueError"]
    assert all("test_logs.py:" in json.loads(line)["at"] for line in lines)
    assert "my secret name" not in "".join(lines)


def test_text_for_people_has_the_event_first(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal a line reads key=value."""
    logs.configure("warning", "text", "bridge")
    structlog.get_logger().info("not shown")
    structlog.get_logger().warning("link_down", reason="refused")
    assert capsys.readouterr().err.startswith("event='link_down' reason='refused'")


@pytest.mark.parametrize(
    "address", ["/tickets/{}/cancel", "http://box.example/holds/{}?lang=de", "/api/v1/orders/{}", "/x?t={}"]
)
@pytest.mark.parametrize("token", ["a2" * 13, "Ab-_" * 14, "MQT1." + "Ab-_" * 30 + "." + "x" * 40])
def test_a_server_that_quotes_an_address_gives_away_no_token(
    capsys: pytest.CaptureFixture[str], address: str, token: str
) -> None:
    """gunicorn names the address of a request it could not handle."""
    logs.configure("info", "json", "portal")
    logging.getLogger("gunicorn.error").error("Error handling request %s", address.format(token))
    structlog.get_logger().warning("odd", seen=address.format(token))
    written = capsys.readouterr().err
    assert token[5:] not in written
    assert written.count("[hidden]") == 2
