"""The portal of a venue, served on a free port of this machine with the demo's own example catalogue."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Error, Page
from werkzeug.serving import WSGIRequestHandler, make_server

from appliance.catalogue.reader import ReadResult, read_catalogue
from appliance.domain.pins import hash_pin
from appliance.portal import WebSettings, create_app
from appliance.services import sync
from appliance.store import tables
from mqtt_bridge.protocol.catalogue import Catalogue, StaffMember
from tests.support.box import BADGE, PIN, FakeClock, TestBox, make_box
from tests.support.ports import free_port

EXAMPLE = Path(__file__).resolve().parents[2] / "appliance" / "demo" / "example" / "catalogue.yaml"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


@dataclass
class Loss:
    """What happens to requests whose path has the pattern ``path`` (``fnmatch``): ``came`` is set once it happened, ``once`` is the only time."""

    path: str
    kind: str
    once: bool = True
    came: threading.Event = field(default_factory=threading.Event)


class Line:
    """The line to a box office, and what is lost on it. What is said last of a path is what counts.

    The loss is made here and not in the browser: requests of a page that a service worker has just taken over pass by
    what DevTools intercepts.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._losses: list[Loss] = []
        self._let_go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer, or hang up."""
        with self._lock:
            let_go = self._let_go
            loss = next((each for each in self._losses if fnmatch(environ["PATH_INFO"], each.path)), None)
            if loss is not None and loss.once:
                self._losses.remove(loss)
        if loss is None:
            return self._app(environ, start_response)
        if loss.kind == "answer":
            self._app(environ, start_response).close()
        loss.came.set()
        if loss.kind == "taken":
            let_go.wait(60)
        raise ConnectionResetError

    def lose(self, path: str) -> threading.Event:
        """Until ``mend``, hang up on what asks for ``path`` before the box office hears it."""
        return self._add(Loss(path, "request", once=False))

    def lose_answer(self, path: str) -> threading.Event:
        """Hang up on the next that asks for ``path`` after the box office has heard and done it."""
        return self._add(Loss(path, "answer"))

    def take(self, path: str) -> threading.Event:
        """Take the next that asks for ``path`` and leave it without a word until ``mend``."""
        return self._add(Loss(path, "taken"))

    def mend(self) -> None:
        """Lose nothing any more, and hang up on what was taken."""
        with self._lock:
            self._losses.clear()
            self._let_go.set()
            self._let_go = threading.Event()

    def _add(self, loss: Loss) -> threading.Event:
        with self._lock:
            self._losses = [loss, *(each for each in self._losses if each.path != loss.path)]
        return loss.came


@dataclass
class Venue:
    """A served venue: ``url`` of its start page, ``box`` to turn its clock and look into its rows, ``line`` to lose requests on."""

    url: str
    box: TestBox
    line: Line
    away: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Hang up on every request until the block ends, as a box office without power does."""
        self.away.set()
        try:
            yield
        finally:
            self.away.clear()

    @property
    def catalogue(self) -> Catalogue:
        """What is on sale."""
        return self.box.look(lambda unit: unit.catalogue)

    def show(self, catalogue: Catalogue) -> None:
        """Publish another catalogue."""
        self.box.run(lambda unit: sync.apply_catalogue(unit, catalogue))

    def rows(self, table: str) -> int:
        """Number of rows of a table."""
        with self.box.database.read() as db:
            return len(db.execute(tables.metadata.tables[table].select()).all())

    def receipts(self) -> list[str]:
        """The signed texts of all tickets."""
        with self.box.database.read() as db:
            return [row.receipt for row in db.execute(tables.ticket.select()).all()]


class Quiet(WSGIRequestHandler):
    """Serves without a line per request."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing; the portal logs its requests itself."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """Drop it on this side too."""
        self.close_connection = True


def read_example() -> ReadResult:
    """Return the demo's own catalogue with its posters."""
    return read_catalogue(EXAMPLE, lambda _badge, pin: hash_pin(pin, bytes(16)))


@contextmanager
def serving(
    folder: Path,
    example: ReadResult,
    grants: Mapping[str, int] | None = None,
    *,
    secure: bool = False,
    where: str = "lantern-hall",
    **settings: Any,
) -> Iterator[Venue]:
    """Serve a venue, the Lantern Hall, on its first evening, with 20 tickets of every quota or ``grants``.

    ``secure`` has it believe that its address is the one with scripts; browsers take loopback for as good as HTTPS, and its name
    for one that a passkey can belong to.
    """
    staff = (StaffMember(BADGE, "Ada", hash_pin(PIN, bytes(16))),)
    whole = example.catalogue
    catalogue = Catalogue(1, whole.venues, whole.events, whole.limits, staff)
    evening = datetime(2026, 6, 5, 18, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    box = make_box(
        folder,
        venue=where,
        catalogue=catalogue,
        grants={**dict.fromkeys(catalogue.quota, 20), **(grants or {})},
        clock=FakeClock(int(evening.timestamp() * 1000)),
    )
    for each in example.assets:
        box.run(partial(sync.apply_asset, sha256=each.sha256, media_type=each.media_type, body=each.body))
    port = free_port()
    url = f"http://{'localhost' if secure else '127.0.0.1'}:{port}"
    line = Line(create_app(box, WebSettings(data=folder, secure_url=url if secure else "", **settings)))
    venue = Venue(url, box, line)

    class Handler(Quiet):
        def handle_one_request(self) -> None:
            """Answer, unless the box office is gone."""
            if not venue.away.is_set():
                super().handle_one_request()

    server = make_server("127.0.0.1", port, line, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield venue
    finally:
        line.mend()
        server.shutdown()
        thread.join(10)
        server.server_close()
        box.database.close()


def sign_in(page: Page) -> None:
    """Fill in badge and PIN."""
    page.goto("/staff/")
    page.fill("#badge", BADGE)
    page.fill("#pin", PIN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#code")


def reload(page: Page) -> None:
    """Reload; Chromium refuses while the page before this one is still being put away."""
    for left in (2, 1, 0):
        try:
            page.reload()
            return
        except Error as error:
            if not left or "Not attached to an active page" not in error.message:
                raise
            page.wait_for_timeout(200)
