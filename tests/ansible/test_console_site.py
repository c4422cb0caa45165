"""The console's site at nginx says itself who asks."""

from __future__ import annotations

import re

from tests.support.roles import render


def test_the_console_is_told_the_address_that_nginx_saw_and_nothing_that_a_client_wrote() -> None:
    """The sign-in limit is per address: one that could be written by whoever asks would be none."""
    page = render("console", "site.conf.j2", console_name="console.example.org", console_bind="127.0.0.1:8090")
    told = dict(re.findall(r"proxy_set_header (\S+) (\S+);", page))
    assert told["X-Forwarded-For"] == "$remote_addr"
    assert told["X-Forwarded-Proto"] == "https"
    assert told["Forwarded"] == told["X-Real-IP"] == '""', "nginx passes no header on that is empty"
