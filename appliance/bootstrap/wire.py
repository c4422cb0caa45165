"""How a process of this machine reaches the broker: with which certificates and under which name."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.machine import secret
from appliance.services.clock import system_clock
from appliance.settings import Settings

if TYPE_CHECKING:
    from mqtt_bridge.transport import Tls, Transport


def is_production(settings: Settings) -> bool:
    """Whether the broker is one that wants certificates, hence a Mosquitto on the shipped files."""
    return settings.broker.url.startswith("mqtts://")


def broker_client(settings: Settings, purpose: str, subscriptions: Iterable[str]) -> Transport:
    """Return a (not started) connection of this machine's identity under a client id of its own."""
    from mqtt_bridge.transport import Transport

    username, password = login(settings)
    client = f"marquee-{settings.device.org}-{purpose}-{secrets.token_hex(4)}"
    return Transport(
        settings.broker.url, client, subscriptions, tls=tls(settings), username=username, password=password
    )


def tls(settings: Settings) -> Tls | None:
    """The certificates of a connection to the broker, None where it wants none."""
    if not is_production(settings):
        return None
    from mqtt_bridge.transport import Tls

    broker = settings.broker
    files = broker.ca, broker.certificate or None, broker.key or None
    if not settings.device.name:
        return Tls(*files)
    from appliance.services.certificates import earliest

    # A board without a battery wakes up years ago: its link must not wait for a time server.
    clock, data = system_clock(settings.clock.mode), settings.device.data
    return Tls(*files, earliest_ms=lambda: earliest(data, clock()))


def login(settings: Settings) -> tuple[str | None, str | None]:
    """The name and the password that the broker is told, None for each that the settings do not give."""
    broker = settings.broker
    if not broker.username:
        return None, None
    if not broker.password_file:
        return broker.username, None
    return broker.username, secret(broker.password_file, "broker.password_file")
