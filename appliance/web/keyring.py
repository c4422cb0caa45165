"""The keys of page tokens in one private file: the newest seals, its predecessors open what they sealed until their overlap ends.

Layout: ``MQK2``, 32 bytes that names are made with, 64 bytes of the newest key, then per predecessor 8 bytes of its last moment (ms
since the epoch, big-endian) and its 64 bytes, newest first. A file of 64 bytes is a key that was never rotated.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

KEY_FILE = "web.key"
KEY_BYTES = 64
MAGIC = b"MQK2"
NAME_BYTES = 32
_MOMENT_BYTES = 8
_HEAD = len(MAGIC) + NAME_BYTES + KEY_BYTES
_ENTRY = _MOMENT_BYTES + KEY_BYTES
# Rotating more often than overlaps end would make every wrong token cost many tries.
MOST_OLD = 4


class Older(NamedTuple):
    """A key that seals nothing any more and opens until ``until_ms``."""

    until_ms: int
    key: bytes


class Ring(NamedTuple):
    """``names`` makes names out of facts and outlives a rotation, so that phones stay who they are."""

    names: bytes
    newest: bytes
    older: tuple[Older, ...] = ()


def ring_of(key: bytes) -> Ring:
    """Return the ring of a key that was never rotated."""
    return Ring(hmac.digest(key, b"names", hashlib.sha256), key)


def load(path: Path) -> Ring:
    """Return the keys in ``path`` (mode 0600), which is made if it is missing; raises ``ValueError`` for a damaged file."""
    if not path.exists():
        _write(path, secrets.token_bytes(KEY_BYTES), first=True)
    return _decoded(path.read_bytes(), path)


def rotate(path: Path, *, now_ms: int, until_ms: int | None) -> Ring:
    """Put a fresh key before the others and return the ring; what was the newest opens until ``until_ms``.

    ``None`` is for a key that others may have: no predecessor opens anything any more, and names are made anew.
    """
    with _alone(path):
        old = load(path)
        fresh = secrets.token_bytes(KEY_BYTES)
        if until_ms is None:
            ring = ring_of(fresh)
            _write(path, fresh)
        else:
            kept = (Older(until_ms, old.newest), *(each for each in old.older if each.until_ms > now_ms))
            ring = Ring(old.names, fresh, kept[:MOST_OLD])
            _write(path, _encoded(ring))
    return ring


def _encoded(ring: Ring) -> bytes:
    older = b"".join(each.until_ms.to_bytes(_MOMENT_BYTES, "big") + each.key for each in ring.older)
    return MAGIC + ring.names + ring.newest + older


def _decoded(raw: bytes, path: Path) -> Ring:
    if len(raw) == KEY_BYTES:
        return ring_of(raw)
    if not raw.startswith(MAGIC) or len(raw) < _HEAD or (len(raw) - _HEAD) % _ENTRY:
        msg = f"{path} holds no key; remove it, and links given out so far stop working"
        raise ValueError(msg)
    names, newest = raw[len(MAGIC) : _HEAD - KEY_BYTES], raw[_HEAD - KEY_BYTES : _HEAD]
    entries = (raw[start : start + _ENTRY] for start in range(_HEAD, len(raw), _ENTRY))
    older = (Older(int.from_bytes(each[:_MOMENT_BYTES], "big"), each[_MOMENT_BYTES:]) for each in entries)
    return Ring(names, newest, tuple(older))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one rotation at a time read and replace the file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, content: bytes, *, first: bool = False) -> None:
    """Write the file whole or not at all; where several workers make the ``first`` one at once, one of theirs stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not first:
            draft.replace(path)
            return
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another worker was first
    finally:
        draft.unlink(missing_ok=True)
