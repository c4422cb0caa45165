"""``marquee demo``: broker, cloud and venues as real processes, with a page to play with them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.bootstrap.process import wall_ms
from appliance.catalogue import CatalogueErrors
from appliance.demo import ports
from appliance.demo.children import Family
from appliance.demo.page import PageServer
from appliance.demo.town import DEFAULT_VENUES, DemoRefused, Town
from appliance.demo.venue import DemoVenue
from appliance.services import sync
from appliance.services.box import Unit
from appliance.stopping import stop_event
from mqtt_bridge.broker import BrokerMissing
from mqtt_bridge.cloud.store import CatalogueRefused, DirectoryRefused

__all__ = ["DemoRefused", "Options", "run"]

WATCH_S = 0.1
START_S = 100.0
_ASK_S = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """What was given on the command line; None means the default."""

    venues: int | None
    base_port: int
    broker: str | None
    data: Path | None
    catalogue: Path | None


def run(options: Options) -> int:
    """Run the demo until SIGINT or SIGTERM; raises ``DemoRefused`` if it cannot start."""
    _check(options)
    stop = stop_event()
    with _folder(options.data) as folder:
        town = Town(folder, options.base_port, options.broker)
        family = Family(_announce)
        try:
            _prepare(town, options)
            with PageServer(town, family, options.base_port + ports.PAGE) as page:
                town.start(family)
                if not _get_ready(town, page.url, family, stop):
                    return 0 if stop.is_set() else 1
                while not stop.wait(WATCH_S):
                    family.watch()
        finally:
            family.stop()
            town.close()
    return 0


def _check(options: Options) -> None:
    if options.venues is not None and not 1 <= options.venues <= ports.MOST_VENUES:
        raise DemoRefused(f"--venues {options.venues} is not from 1 to {ports.MOST_VENUES}")
    if not 1024 <= options.base_port <= 65535 - ports.PAGE:
        raise DemoRefused(f"--base-port {options.base_port} is not from 1024 to {65535 - ports.PAGE}")
    taken = ports.busy(options.base_port, options.venues or DEFAULT_VENUES)
    if taken:
        listed = ", ".join(str(port) for port in taken)
        raise DemoRefused(f"somebody else listens on port {listed}; stop that, or choose others with --base-port")


def _prepare(town: Town, options: Options) -> None:
    try:
        town.prepare(options.catalogue, options.venues)
    except CatalogueErrors as error:
        raise DemoRefused(*(str(problem) for problem in error.problems)) from None
    except CatalogueRefused as error:
        raise DemoRefused(*error.reasons, "use another --data folder for another catalogue") from None
    except (DirectoryRefused, BrokerMissing) as error:
        raise DemoRefused(str(error)) from None


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given.absolute()
        return
    made = Path(tempfile.mkdtemp(prefix="marquee-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _announce(venue: str, process: str, pid: int) -> None:
    _say(f"pid: {venue} {process} {pid}")


def _say(line: str) -> None:
    print(line, flush=True)


def _get_ready(town: Town, page: str, family: Family, stop: threading.Event) -> bool:
    """Announce every surface as it answers, in order; False if told to stop or out of patience."""
    surfaces: list[tuple[str, str, Callable[[], bool]]] = [
        *((venue.venue.id, venue.url, _venue_ready(venue)) for venue in town.venues),
        ("console", town.console_url, lambda: _answers(town.console_url + "healthz")),
        ("demo", page, lambda: _answers(page)),
    ]
    until_s = time.monotonic() + START_S
    for name, url, ready in surfaces:
        while not ready():
            family.watch()
            if stop.wait(WATCH_S):
                return False
            if time.monotonic() > until_s:
                _say(f"{name} did not answer within {START_S:g} s; its log is in {town.folder / 'logs'}:")
                _say(_last_words(town.folder / "logs", "cloud" if name == "console" else name))
                return False
        _say(f"ready: {name} {url}")
    _say(f"staff-token: {town.staff_token}")
    _say(f"operator-token: {town.operator_token}")
    _say("ready")
    return True


def _venue_ready(venue: DemoVenue) -> Callable[[], bool]:
    """A venue is ready once its pages answer and the cloud has said, since now, what it may sell, with all pictures."""
    since_ms = wall_ms()

    def stocked(unit: Unit) -> bool:
        return unit.device.link_up and unit.device.state_as_of_ms >= since_ms and not sync.missing_assets(unit)

    return lambda: venue.box.look(stocked) and _answers(venue.url + "readyz")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_ASK_S) as answer:  # noqa: S310  our own loopback address
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def _last_words(logs: Path, name: str) -> str:
    tails = []
    for path in sorted(logs.glob(f"{name}-*.log")):
        lines = path.read_text("utf-8", "replace").splitlines()[-12:]
        tails += [f"--- {path.name}", *lines]
    return "\n".join(tails)
