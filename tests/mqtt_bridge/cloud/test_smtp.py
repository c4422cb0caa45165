"""Handing mail in: what is certain about it, whatever the server does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance.demo.mailbox import Fault, Mailbox
from mqtt_bridge.cloud.smtp import Server, message, send


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


def hand_in(box: Mailbox, text: str = "Hello\n", timeout_s: float = 5.0):
    mail = message("box@example.org", "ada@example.org", "Dein Code: 1234 5678", text)
    return send(Server.from_url(box.url), mail, timeout_s)


def test_a_mail_arrives_as_it_was_written(mailbox):
    text = "Zoë\n.a dot first\n..two\n" + "long " * 60 + "\n"
    assert hand_in(mailbox, text).outcome == "sent"
    [got] = mailbox.mails
    assert (got.to, got.subject) == ("ada@example.org", "Dein Code: 1234 5678")
    assert got.text.replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.REFUSE, "failed"),
        (Fault.BUSY, "again"),
        (Fault.HANG_UP, "again"),
        (Fault.TAKE_AND_HANG_UP, "ambiguous"),
        (Fault.SILENT, "ambiguous"),
    ],
)
def test_only_what_cannot_have_left_is_tried_again(mailbox, fault, outcome):
    mailbox.fault = fault
    assert hand_in(mailbox, timeout_s=0.5).outcome == outcome


def test_a_server_that_is_not_there_is_tried_again(mailbox):
    mailbox.close()
    assert hand_in(mailbox).outcome == "again"


def test_nobody_writes_headers_of_their_own():
    with pytest.raises(ValueError):
        message("box@example.org", "ada@example.org\nBcc: all@example.org", "x", "y")


@pytest.mark.parametrize(
    ("url", "scheme", "port", "user"),
    [
        ("smtp://me%40x@mail.example.org", "smtp", 587, "me@x"),
        ("smtps://mail.example.org", "smtps", 465, ""),
        ("smtp+plain://127.0.0.1:2525", "smtp+plain", 2525, ""),
    ],
)
def test_a_server_is_named_by_its_address(url, scheme, port, user):
    server = Server.from_url(url)
    assert (server.scheme, server.port, server.user) == (scheme, port, user)


@pytest.mark.parametrize("url", ["http://x", "smtp://", "smtp://me:secret@x", "smtp://x/path"])
def test_what_is_no_server_is_refused(url):
    with pytest.raises(ValueError, match="write smtp://"):
        Server.from_url(url)
