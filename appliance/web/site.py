"""What a web process needs besides the box, and how a view gets at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from flask import Flask, current_app, g
from flask.sansio.app import App

from appliance.services.box import Box
from appliance.web.keyring import KEY_FILE
from appliance.web.leases import Leases
from appliance.web.tokens import Tokens

_EXTENSION = "marquee.site"
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Settings of the portal.

    ``data`` holds the key of the signed tokens. ``leases_file`` is dnsmasq's, None where there is no hotspot.
    ``public_url`` is what phones are sent to, empty for the address they asked. ``secure_url`` is the
    same site over HTTPS, where pages have scripts, under ``certificate`` (PEM); empty where there is none. ``behind_proxy`` says that exactly one proxy
    in front sets X-Forwarded-*. ``metrics_from`` are the addresses that may read /metrics without signing in.
    ``captive_hours`` is how long a phone on the hotspot that was let in stays so.
    ``visits_told``: the proxy tells the bridge who looked at what, so pages count nobody.
    ``styleguide`` shows the design system's parts on a page of their own. ``staff`` serves pages and API of staff too, which a pool that
    only guests are led to neither has nor loads.
    ``lane`` names this place of sale on check-ins. ``streams`` is how many staff screens may be kept fresh at once in a process.
    """

    data: Path
    leases_file: Path | None = None
    public_url: str = ""
    secure_url: str = ""
    certificate: Path | None = None
    behind_proxy: bool = False
    metrics_from: tuple[str, ...] = LOOPBACK
    captive_hours: int = 12
    visits_told: bool = False
    lane: str = "portal"
    styleguide: bool = False
    staff: bool = True
    streams: int = 4


@dataclass(frozen=True, slots=True)
class Site:
    """One portal: its box, its settings, its token key and the hotspot's leases."""

    box: Box
    settings: WebSettings
    tokens: Tokens
    leases: Leases


def install(app: Flask, box: Box, settings: WebSettings) -> Site:
    """Make ``site()`` work inside ``app``."""

    def over(until_ms: int) -> bool:
        now = box.clock()
        return now.trusted and now.wall_ms > until_ms

    tokens = Tokens.from_file(settings.data / KEY_FILE, over)
    made = Site(box, settings, tokens, Leases(settings.leases_file))
    app.extensions[_EXTENSION] = made
    return made


def site() -> Site:
    """Return the site of the request being answered; for somebody in training its box is their copy (``web.training``)."""
    box: Box | None = g.get("practice")
    return real_site() if box is None else replace(real_site(), box=box)


def real_site() -> Site:
    """Return the site with the real box, whoever asks."""
    return site_of(current_app)


def site_of(app: App) -> Site:
    """Return the site of an application."""
    return cast(Site, app.extensions[_EXTENSION])
