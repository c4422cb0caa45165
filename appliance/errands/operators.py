"""``marquee operator-token``: makes a token for the console, or ends all that were made."""

from __future__ import annotations

import argparse
import secrets

from appliance.bootstrap.cloud import cloud_database
from appliance.bootstrap.process import wall_ms
from appliance.settings import Settings
from mqtt_bridge.cloud.store import create_operator_token, revoke_operator_tokens


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Exit status as in ``cli``."""
    database = cloud_database(settings)
    if given.revoke_all:
        ended = revoke_operator_tokens(database, wall_ms())
        print(f"{ended} tokens opened the console and open nothing more; make another with operator-token")
        return 0
    token = secrets.token_urlsafe(24)
    create_operator_token(database, token, wall_ms())
    print(token)
    return 0
