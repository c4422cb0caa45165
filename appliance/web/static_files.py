"""Files that never change under their name: the name carries a hash of the content, so browsers keep them a year.

A script or manifest names another file as ``./its-name``. That is replaced by the name with its hash when the process reads it, so a
hash stands for everything below it, and there is no build step that could be forgotten.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Response, request

from appliance.domain.errors import NotFound
from appliance.web import freshness

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_NAMED = re.compile(rb'"\./([a-z0-9_.-]+\.(?:js|png|svg))"')
_NAMING = {".js", ".webmanifest"}


@dataclass(frozen=True)
class StaticFile:
    """A file of the design system, as it is and compressed."""

    name: str
    media_type: str
    body: bytes
    zipped: bytes


def tidied(css: str) -> str:
    """Return a style sheet of ours without comments and needless space: a tenth less to send. Strings in it hold neither."""
    bare = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    bare = re.sub(r"\s+", " ", bare)
    return re.sub(r" ?([{};,>]) ?", r"\1", bare).replace(";}", "}").replace(": ", ":").strip()


@cache
def _load(path: Path) -> StaticFile:
    body = path.read_bytes()
    if path.suffix in _NAMING:
        body = _NAMED.sub(lambda found: f'"./{_load(path.with_name(found[1].decode())).name}"'.encode(), body)
    if path.suffix == ".css":
        body = tidied(body.decode()).encode()
    return made(path.name, body)


def made(name: str, body: bytes) -> StaticFile:
    """Return a file called ``name``, whose last part says its type."""
    stem, dot, kind = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:12]
    return StaticFile(f"{stem}.{digest}{dot}{kind}", _TYPES[dot + kind], body, gzip.compress(body, 9, mtime=0))


@cache
def files() -> dict[str, StaticFile]:
    """Every file by its plain name; read once per process."""
    return {path.name: _load(path) for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}


def needed(name: str) -> tuple[str, ...]:
    """Return the hashed names of ``name`` and of all the files it names, itself first."""
    known = {each.name: each for each in files().values()}
    found, todo = [], [files()[name].name]
    while todo:
        here = todo.pop()
        if here not in found:
            found.append(here)
            todo += [each[1].decode() for each in _NAMED.finditer(known[here].body)]
    return tuple(found)


def send(hashed: str) -> Response:
    """Answer the file whose name with hash is ``hashed``; another hash is another file, hence not found."""
    for each in files().values():
        if each.name == hashed:
            return answer(each)
    raise NotFound("There is no such file.")


def answer(file: StaticFile) -> Response:
    """Answer a file, compressed where that is smaller and wanted."""
    zipped = len(file.zipped) < len(file.body) and request.accept_encodings.quality("gzip") > 0
    response = Response(file.zipped if zipped else file.body, content_type=file.media_type)
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = freshness.CONTENT.header()
    response.headers["Vary"] = "Accept-Encoding"
    return response
