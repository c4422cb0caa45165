"""What runs in the cloud: the reconciler, the verifier, the console and the authority, over one database and one key."""

from __future__ import annotations

import gc
import secrets
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from appliance.bootstrap.process import make_private, wall_ms
from appliance.bootstrap.wire import broker_client, is_production
from appliance.machine import secret
from appliance.settings import Settings, SettingsError
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.protocol import topics

if TYPE_CHECKING:
    from flask import Flask

    from mqtt_bridge.cloud.fleet_log import FleetLog
    from mqtt_bridge.cloud.verifier import Post
    from mqtt_bridge.database import Database

# Objects that outlive their maker before Python looks for cycles among them; they are some megabytes.
CYCLES_EVERY = 100_000


def console_app(settings: Settings, proxies: tuple[str, ...]) -> Flask:
    """Return the operator's pages; ``proxies`` are addresses of proxies in front, whose word counts about who asks."""
    from appliance.console import create_app

    copied = Path(settings.cloud.copied) if settings.cloud.copied else None
    return create_app(
        cloud_database(settings), settings.device.data, fleet_log=fleet_log(settings), copied=copied, proxies=proxies
    )


def authority_app(settings: Settings) -> Flask:
    """Return what devices enrol at, and begin to look after the authority's files. Its worker is the only one."""
    from appliance.authority import Handing, Offer, create_app, start_looking
    from mqtt_bridge.cloud.authority import Authority
    from mqtt_bridge.cloud.store import is_empty

    if is_empty(cloud_url(settings)):
        # Who knows the list of devices judges whether a database may be begun; this process need not see it.
        raise SettingsError(["cloud.database: no cloud began in it; start a reconciler, or put a backup back"])
    database, authority = cloud_database(settings), Authority(authority_folder(settings))
    start_looking(database, authority, *authority_hosts(settings))
    broker_url = settings.authority.broker_url or settings.broker.url
    # A public key in the settings spares this process the private one.
    key = settings.broker.cloud_key or cloud_key(settings).public_hex
    offer = Offer(broker_url, key)
    if files := portal_files(settings):
        offer = replace(offer, portal=Handing(settings.authority.portal_name, *files))
    return create_app(database, authority, offer)


def portal_files(settings: Settings) -> tuple[Path, Path] | None:
    """Certificate and key that devices are handed for their phones, None where there are none; raises ``SettingsError`` for half of it."""
    given = settings.authority
    wanted = {
        "authority.portal_name": (given.portal_name, "the name that the certificate is for"),
        "authority.portal_certificate": (given.portal_certificate, "the PEM file of it and of those that vouch for it"),
        "authority.portal_key": (given.portal_key, "the PEM file of its private key"),
    }
    missing = [
        f"{key}: is not set; write {fix}, or none of the three" for key, (value, fix) in wanted.items() if not value
    ]
    if 0 < len(missing) < len(wanted):
        raise SettingsError(missing)
    return None if missing else (Path(given.portal_certificate), Path(given.portal_key))


def authority_folder(settings: Settings) -> Path:
    """Where the authority's files are."""
    return Path(settings.authority.folder) if settings.authority.folder else settings.device.data / "authority"


def authority_hosts(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that the certificates of the authority's server and of the broker are for."""
    urls = settings.authority.url, settings.authority.broker_url or settings.broker.url
    server, broker = (urlsplit(url).hostname or "" for url in urls)
    own = (server, *settings.authority.hosts)
    its = (broker, urlsplit(settings.broker.url).hostname or "", *settings.authority.hosts)
    return tuple(dict.fromkeys(each for each in own if each)), tuple(dict.fromkeys(its))


def run_reconciler(settings: Settings, stop: threading.Event) -> None:
    """Keep the one inventory until ``stop`` is set; any number of them may run."""
    from mqtt_bridge.cloud import process

    _collect_rarely()
    transport = broker_client(settings, "cloud", ())
    # Only production's broker counts there; the embedded one hangs up on who asks.
    counters = broker_client(settings, "counters", [topics.DROPPED]) if is_production(settings) else None
    org = settings.device.org
    process.run_reconciler(cloud_database(settings), transport, cloud_key(settings), org, wall_ms, stop, counters)


def run_verifier(settings: Settings, stop: threading.Event) -> None:
    """Mail codes and verify pre-enrolments until ``stop`` is set; of several one works, the others wait."""
    from mqtt_bridge.cloud.mailing import Limits
    from mqtt_bridge.cloud.standing import standing_for
    from mqtt_bridge.cloud.verifier import Verifier
    from mqtt_bridge.cloud.verifier import run_verifier as run

    database = cloud_database(settings)
    try:
        standing = standing_for(settings.verifier.standing, database, wall_ms)
    except ValueError as error:
        raise SettingsError([f"verifier.standing: {error}"]) from None
    post = _post(settings, database)
    limits = Limits(per_hour=settings.verifier.mails_per_hour)
    name = secrets.token_hex(4)
    run(Verifier(database, name, post, standing, wall_ms, time.monotonic, secrets.token_bytes, limits), stop)


def _post(settings: Settings, database: Database) -> Post | None:
    """Return what hands mails in; None where no server is set."""
    from appliance.web import mail_words
    from mqtt_bridge.cloud import smtp
    from mqtt_bridge.cloud.catalogues import Catalogues
    from mqtt_bridge.cloud.mailing import Claimed
    from mqtt_bridge.cloud.sql import SqlStore
    from mqtt_bridge.cloud.work import Work

    given = settings.verifier
    if not given.smtp:
        return None
    if not given.sender:
        raise SettingsError(["verifier.sender: is not set; write the address that mails come from"])
    password = secret(given.password_file, "verifier.password_file") if given.password_file else ""
    server = smtp.Server.from_url(given.smtp, password)

    catalogues, store = Catalogues(), SqlStore(database)

    def post(mail: Claimed) -> smtp.Delivery:
        catalogue = store.look(lambda rows: catalogues.of(Work(rows)))
        link = f"{given.page_url}/prove/{mail.link}" if given.page_url and mail.link else ""
        wanted = mail_words.Wanted(mail.kind, mail.language, mail.booking, mail.event_session, mail.code, link)
        return smtp.send(server, smtp.message(given.sender, mail.contact, *mail_words.mail(wanted, catalogue)))

    return post


def _collect_rarely() -> None:
    """Look for garbage in cycles less often, and never again in what was imported.

    What a batch makes dies with its last reference, and looking for cycles among it costs more than a tenth of the work on it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(CYCLES_EVERY)


def cloud_database(settings: Settings) -> Database:
    """Open the cloud's database, made or migrated if needed.

    Raises ``SettingsError`` for an empty database where devices were provisioned before: it would grant everything twice.
    """
    from mqtt_bridge.cloud.store import is_empty, open_cloud

    make_private(settings.device.data)
    url, log = cloud_url(settings), fleet_log(settings)
    if log.path.exists() and log.entries() and is_empty(url):
        raise SettingsError(
            [f"cloud.database: is empty, but {log.path} lists devices; put a backup back with `marquee restore`"]
        )
    return open_cloud(url)


def cloud_url(settings: Settings) -> str | Path:
    """Where the cloud's database is."""
    return settings.cloud.database or settings.device.data / "cloud.db"


def fleet_log(settings: Settings) -> FleetLog:
    """The list of devices that outlives the cloud's database."""
    from mqtt_bridge.cloud.fleet_log import FILE, FleetLog

    return FleetLog(Path(settings.cloud.fleet_log or settings.device.data / FILE))


def cloud_key(settings: Settings) -> KeyFile:
    """The key that signs what the cloud sends, made if it is missing."""
    make_private(settings.device.data)
    return KeyFile(Path(settings.cloud.key_file) if settings.cloud.key_file else settings.device.data / "cloud.pem")
