"""The console's site at nginx: it says itself who asks, and a certificate that was renewed is the one that is shown."""

from __future__ import annotations

import re

import yaml

from tests.support.roles import ROLES, render


def test_the_console_is_told_the_address_that_nginx_saw_and_nothing_that_a_client_wrote() -> None:
    """The sign-in limit is per address: one that could be written by whoever asks would be none."""
    page = render("console", "site.conf.j2", console_name="console.example.org", console_bind="127.0.0.1:8090")
    told = dict(re.findall(r"proxy_set_header (\S+) (\S+);", page))
    assert told["X-Forwarded-For"] == "$remote_addr"
    assert told["X-Forwarded-Proto"] == "https"
    assert told["Forwarded"] == told["X-Real-IP"] == '""', "nginx passes no header on that is empty"


LIVE = "/etc/letsencrypt/live/console.example.org"
PAIR = {"console_certificate": f"{LIVE}/fullchain.pem", "console_key": f"{LIVE}/privkey.pem"}


def test_a_renewed_certificate_is_noticed_also_where_links_to_it_are_replaced() -> None:
    """certbot replaces links, of which their folder hears; a file that is written over is heard of by itself."""
    path = render("console", "marquee-console-reload.path.j2", **PAIR)
    watched = re.findall(r"^PathChanged=(.*)$", path, flags=re.MULTILINE)
    assert watched == [LIVE, *PAIR.values()]
    apart = render("console", "marquee-console-reload.path.j2", **{**PAIR, "console_key": "/etc/keys/console.key"})
    assert "\nPathChanged=/etc/keys\n" in apart and "\nPathChanged=/etc/keys/console.key\n" in apart


def test_nginx_is_told_once_key_and_certificate_are_both_there_and_again_where_it_refused() -> None:
    """Of what changes while the unit runs nobody hears: it waits first, and does not give up."""
    unit = render("console", "marquee-console-reload.service.j2")
    assert re.findall(r"^ExecStart(?:Pre)?=(.*)$", unit, flags=re.MULTILINE) == [
        "/usr/bin/sleep 5",
        "/usr/bin/systemctl try-reload-or-restart nginx.service",
    ]
    assert "\nRestart=on-failure\n" in unit and "\nStartLimitIntervalSec=0\n" in unit


def test_the_role_starts_the_watch_with_every_boot() -> None:
    tasks = yaml.safe_load((ROLES / "console/tasks/proxy.yml").read_text(encoding="utf-8"))
    (start,) = (
        task for task in tasks if "marquee-console-reload.path" in task.get("loop", ()) and "notify" not in task
    )
    assert start["ansible.builtin.systemd_service"]["enabled"] is True
