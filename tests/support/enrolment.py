"""A cloud that enrols devices over real TLS on 127.0.0.1, with a database, an authority and a clock that a test moves; and a card."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from appliance import cli
from appliance.authority import Offer, create_app, look
from appliance.authority.throttle import Throttle
from appliance.domain.clock import Now
from appliance.domain.provisioning import Provisioning, Wifi, as_toml
from appliance.errands.enrol import Enrolling
from appliance.services import setting_up as files
from mqtt_bridge.cloud.authority import Authority, create, fingerprint
from mqtt_bridge.cloud.enrolments import make_token
from mqtt_bridge.cloud.store import open_cloud, register_device
from mqtt_bridge.protocol.portal_pairs import PortalPair

BROKER, CLOUD_KEY = "mqtts://broker.example:8883", "0c" * 32
HOSTS = ("127.0.0.1",)


@functools.cache
def _began() -> bytes:
    """The file of a cloud that just began: making one takes half a second, copying it nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cloud.db"
        open_cloud(path).close()
        return path.read_bytes()


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """The tests look at rows and answers."""


class EnrolmentCloud:
    """``url`` while ``serving``; ``now_ms`` is its wall clock, ``broker`` what it calls its broker, ``portal`` what it hands out for phones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "authority"
        for name in ("broker", "client"):
            (self.folder / name).mkdir(mode=0o700, parents=True)
        self.now_ms = int(dt.datetime.now(dt.UTC).timestamp()) * 1000
        create(self.folder, "town", self.now)
        self.authority = Authority(self.folder)
        (folder / "cloud.db").write_bytes(_began())
        self.database = open_cloud(folder / "cloud.db")
        self.url = "https://127.0.0.1:1"
        self.broker = BROKER
        self.portal: Callable[[str, int], PortalPair | None] = lambda _device, _wall_ms: None
        self.look()

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.now_ms // 1000, dt.UTC)

    def look(self) -> list[str]:
        """Let the authority look after its files."""
        return look(self.database, self.authority, HOSTS, ("broker.example",), self.now_ms)

    def app(self, throttle: Throttle | None = None) -> Flask:
        """The authority's application."""
        offer = Offer(self.broker, CLOUD_KEY, lambda device, now_ms: self.portal(device, now_ms))
        return create_app(self.database, self.authority, offer, throttle=throttle, wall_ms=lambda: self.now_ms)

    @contextmanager
    def serving(self, app: Flask | None = None) -> Iterator[None]:
        """Answer on a free port with the certificate the authority made for itself."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        server = make_server(
            "127.0.0.1", 0, app or self.app(), threaded=True, request_handler=_Silent, ssl_context=context
        )
        self.url = f"https://127.0.0.1:{server.port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def register(self, name: str = "hall-1", *, renew: bool = False) -> str:
        """Register a device and return a token for it."""
        register_device(self.database, name, "hall", self.now_ms)
        return make_token(self.database, name, self.now_ms, renew=renew)

    def provisioning(self, token: str, name: str = "hall-1", **changes: object) -> bytes:
        """The provisioning file with this token."""
        given = {"pin": "", "replace": False, "ca": fingerprint(self.folder)} | changes
        wifi = Wifi("DE", "Town Hall", "long enough")
        return as_toml(Provisioning("town", name, "hall", self.url, token=token, wifi=wifi, **given)).encode()  # type: ignore[arg-type]


class Card:
    """A device's data folder and the place of the file; its clock says ``now``. ``phones`` is for what is handed out, if it is wanted."""

    def __init__(self, folder: Path, now: Now, phones: Path | None = None) -> None:
        self.data, self.file, self.now = folder / "data", folder / "provisioning.toml", now
        self.fleet = folder / "marquee.toml"
        handed = f'[portal]\nhanded_folder = "{phones}"\n' if phones else ""
        self.fleet.write_text(f'[device]\ndata = "{self.data}"\n{handed}', "utf-8")
        self.config = f"{self.fleet}:{self.data / 'device.toml'}"
        self.enrolling = Enrolling(self.data, lambda: self.now, str(phones or ""))

    def boot(self, file: bytes | None = None) -> int:
        """Put a file on the card, if any, and do what first boot does."""
        if file is not None:
            self.file.write_bytes(file)
        return cli.main(["--config", self.config, "first-boot", "--file", str(self.file)])

    def step(self) -> str:
        setup = files.read_setup(self.data)
        assert setup is not None
        return setup.step
