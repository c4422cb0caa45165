"""What the authority looks after by itself: the revocation list, its own certificates, and what a restored database forgot."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable

import structlog

from mqtt_bridge.cloud.authority import Authority, IssuedLog
from mqtt_bridge.cloud.enrolments import known_certificates, recall, revoked
from mqtt_bridge.database import Database

EVERY_S = 5.0
_log = structlog.get_logger("authority")


def look(
    database: Database, authority: Authority, hosts: Iterable[str], broker_hosts: Iterable[str], wall_ms: int
) -> list[str]:
    """Do what is due and return it in words."""
    now = dt.datetime.fromtimestamp(wall_ms // 1000, dt.UTC)
    done = []
    written_down = IssuedLog(authority.folder).entries()
    if known_certificates(database) < len(written_down) and (again := recall(database, written_down)):
        done.append(f"{again} certificates written down again that the database had forgotten")
    done += [f"{path} renewed" for path in authority.keep_own(hosts, broker_hosts, now)]
    gone = revoked(database, wall_ms)
    if authority.keep_list(gone, now):
        done.append(f"revocation list written, with {len(gone)} certificates")
    return done


def start_looking(
    database: Database, authority: Authority, hosts: tuple[str, ...], broker_hosts: tuple[str, ...]
) -> None:
    """Look every few seconds for as long as this process lives."""

    def forever() -> None:
        pause = threading.Event()
        while not pause.wait(EVERY_S):
            try:
                for words in look(
                    database, authority, hosts, broker_hosts, int(dt.datetime.now(dt.UTC).timestamp() * 1000)
                ):
                    _log.info("authority.kept", what=words)
            except Exception as error:  # noqa: BLE001  a database that is away comes back; the list lives for weeks
                _log.error("authority.looking_failed", error=f"{type(error).__name__}: {error}")

    threading.Thread(target=forever, name="looking", daemon=True).start()
