"""``marquee ready``: has this boot made a box office? What a boot that is not ready loses its slot for.

Narrower than the doctor: nothing that can be missing on a good evening (paper, link, cloud, a scanner's cable) keeps a boot from
being good, or an update on the eve of an event would be thrown away for an empty roll.

Radio and devices are demanded of a trial, since a new slot may be what keeps them away. A slot that had them once does not lose them
by itself: what does, hardware and settings, is the same in the other one, and a reboot would only end what still sells.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from appliance.desk.names import AUTO, NEEDED, addresses
from appliance.doctor.findings import Finding, fail, ok, report, warn
from appliance.domain.clock import Now
from appliance.services.clock import BUILT_AT_MS, system_clock
from appliance.services.readiness import OK, readiness
from appliance.services.setting_up import setup_pending
from appliance.settings import Settings
from appliance.slots import Keeper
from appliance.store import records
from mqtt_bridge.database import Database

ANSWER_S = 5.0
SLEEP_S = 1.0
# So long a boot waits for radio and devices, once all is well that counts for its slot.
REST_S = 60.0
_HOTSPOT = "hotspot"
_DEVICES = "devices"
_SERVING = {"ready", "degraded"}


def gate(settings: Settings, page: str, setup_page: str = "") -> Iterator[Finding]:
    """Look at everything once. ``page`` is the address that must answer, as phones reach it; empty: the portal's own socket.

    A device that is not set up has only ``setup_page`` to show, where one is named; its portal shows one in the place of all others.
    """
    pending = setup_pending(settings.device.data)
    if pending or not settings.device.name:
        yield ok("device", "not set up yet: it need not sell, only say so")
        setup_page = setup_page or (_own(settings.portal.bind) if pending else "")
        yield answers(setup_page, "setup page") if setup_page else ok("setup page", "not asked for")
        return
    now = system_clock(settings.clock.mode)()
    yield from _database(settings)
    yield answers(page or _own(settings.portal.bind), "portal")
    yield from _devices(settings, now.boot_id)
    yield clock(now)


def of_boot(found: Iterable[Finding], keeper: Keeper | None = None) -> Iterator[Finding]:
    """As ``found``, but in a boot that is no trial what no slot can mend is only a warning. Where nobody says which it is, it is one."""
    try:
        unproven = (keeper or Keeper()).shown().unproven
    except (OSError, msgspec.DecodeError):
        unproven = True
    for each in found:
        excused = not unproven and each.state == "fail" and each.check in {_DEVICES, _HOTSPOT}
        yield warn(each.check, each.detail, each.fix) if excused else each


def wait(look: Callable[[], Iterable[Finding]], timeout_s: float, *, as_json: bool) -> int:
    """Look until all is well, once a second, and print what changed; return 0, or 1 if something still failed at the end.

    With warnings alone the end comes sooner: they may go within ``REST_S``, and nothing more hangs on them.
    """
    begun_s = time.monotonic()
    end_s, rest_s = begun_s + timeout_s, begun_s + REST_S
    told: dict[str, Finding] = {}
    while True:
        found = list(look())
        now_s = time.monotonic()
        well = all(each.state == "ok" for each in found)
        if any(each.state == "fail" for each in found):
            rest_s = now_s + REST_S
        if well or now_s >= min(end_s, rest_s):
            return report(found, as_json=as_json)
        if changed := [each for each in found if told.get(each.check) != each]:
            report(changed, as_json=False)
        told = {each.check: each for each in found}
        time.sleep(SLEEP_S)


def answers(address: str, what: str) -> Finding:
    """Whether a page answers with 200: ``http://host:port/path`` or ``unix:/path`` for the socket behind the proxy."""
    connection = _connection(address)
    try:
        connection.request("GET", urlsplit(address).path if address.startswith("http:") else "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return fail(what, f"{address} does not answer: {error}", "See the log of marquee-portal and of nginx.")
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        return fail(what, f"{address} answers {status}", "See the log of marquee-portal.")
    return ok(what, f"{address} answers")


def clock(now: Now) -> Finding:
    """Whether it was decided if the clock may be believed; that it may not is no fault."""
    if now.wall_ms < BUILT_AT_MS:
        return fail("clock", "it stands before this program was written", "See the log of systemd-timesyncd.")
    return ok("clock", "trusted" if now.trusted else "not trusted: sale and door open by the staff switches")


def _database(settings: Settings) -> Iterator[Finding]:
    path = settings.device.data / "marquee.db"
    if not path.exists():
        yield fail("database", f"{path} does not exist yet", "The portal makes it when it starts.")
        return
    database = Database(path)
    try:
        checks = readiness(database)
    finally:
        database.close()
    # A catalogue comes with the link, which a good boot does not need.
    for name in ("database", "schema"):
        yield ok(name, f"{path} opens") if checks[name] == OK else fail(name, checks[name], "See marquee doctor.")


def _devices(settings: Settings, boot_id: str) -> Iterator[Finding]:
    """What the settings name must have been looked at by the desk in this boot, and the guests' Wi-Fi must be on the air."""
    # The desk says nothing of devices that it would find by itself and nobody misses.
    named = addresses(settings).items()
    wanted = [name for name, url in named if url and (url != AUTO or name in NEEDED)]
    seen = _seen(settings.device.data / "marquee.db", boot_id) if wanted else {}
    unknown = [name for name in wanted if name not in seen]
    if unknown:
        yield fail(_DEVICES, f"the desk has not looked at: {', '.join(unknown)}", "See the log of marquee-desk.")
    else:
        yield ok(_DEVICES, f"{len(wanted)} known" if wanted else "none are set up")
    if _HOTSPOT not in wanted:
        yield ok(_HOTSPOT, "none is set up")
    elif _HOTSPOT not in unknown:
        row = seen[_HOTSPOT]
        good = row.state in _SERVING
        yield ok(_HOTSPOT, row.reason) if good else fail(_HOTSPOT, row.reason, "See the log of hostapd.")


def _seen(path: Path, boot_id: str) -> dict[str, Row[Any]]:
    """What the desk said in this boot; nothing while the database is not there or not of this version yet."""
    if not path.exists():
        return {}
    database = Database(path)
    try:
        with database.read() as db:
            return {row.name: row for row in records.hardware_rows(db) if row.seen_boot_id == boot_id}
    except (SQLAlchemyError, OSError):
        return {}
    finally:
        database.close()


def _own(bind: str) -> str:
    return bind if bind.startswith("unix:") else f"http://{bind}/healthz"


class _OverSocket(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(self._path)


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:"):
        return _OverSocket(address.removeprefix("unix:"))
    parts = urlsplit(address)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_S)
