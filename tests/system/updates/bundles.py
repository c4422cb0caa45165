"""Bundles that a device must refuse, and the server that serves the good one piece by piece."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import os
import random
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from image import boards, signing
from tests.system.image import BOARD

_MANIFEST = """\
[update]
compatible={compatible}
version=0
[bundle]
format={format}
[image.boot]
filename=boot.vfat
"""


def refused(folder: Path) -> dict[str, Path]:
    """Make a bundle of a stranger, one for another board, and one without a hash tree; each would overwrite a slot with nothing."""
    own = signing.given(None, None, None)
    compatible = boards.board(BOARD).compatible
    stranger = _stranger(folder)
    made = {}
    for name, fits, form, (key, certificate) in (
        ("a stranger's signature", compatible, "verity", stranger),
        ("another board", "marquee-toaster", "verity", (own.key, own.certificate)),
        ("no hash tree", compatible, "plain", (own.key, own.certificate)),
    ):
        content = folder / name.replace(" ", "-").replace("'", "")
        content.mkdir()
        (content / "boot.vfat").write_bytes(random.Random(0).randbytes(1 << 20))
        (content / "manifest.raucm").write_text(_MANIFEST.format(compatible=fits, format=form))
        made[name] = content.with_suffix(".raucb")
        order = ["rauc", f"--key={key}", f"--cert={certificate}", "bundle", str(content), str(made[name])]
        subprocess.run(
            order, check=True, capture_output=True, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        )
    return made


def _stranger(folder: Path) -> tuple[Path, Path]:
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Stranger")]),
    )
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "stranger.key", folder / "stranger.pem"
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    files[0].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    files[1].write_bytes(certificate.public_bytes(pem))
    return files


@contextlib.contextmanager
def served(files: dict[str, Path]) -> Iterator[int]:
    """Serve files by name, whole or in ranges, on a port of this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Ranges,), {"files": files}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Ranges(http.server.BaseHTTPRequestHandler):
    """GET and HEAD with ranges (RFC 9110, section 14), which RAUC reads a bundle by."""

    files: dict[str, Path]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.files.get(self.path.lstrip("/"))
        if path is None:
            self.send_error(404)
            return
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2] or size - 1), size - 1)) if asked else (0, size - 1)
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if self.command == "GET":
            with path.open("rb") as file, contextlib.suppress(OSError):
                file.seek(first)
                left = last - first + 1
                while left and (piece := file.read(min(left, 1 << 16))):
                    self.wfile.write(piece)
                    left -= len(piece)

    def log_message(self, format: str, *words: object) -> None:
        pass
