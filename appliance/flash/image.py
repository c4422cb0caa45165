"""The image as a stream of the parts that its block map names, packed by xz or as it is; checked while it is read."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from appliance.flash.bmap import BlockMap
from appliance.flash.errors import FlashFailed, FlashRefused

CHUNK_BYTES = 4 << 20
PACKED = ".xz"


def parts(path: Path, bmap: BlockMap) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, at most ``CHUNK_BYTES`` bytes) of everything mapped, in order.

    Raises ``FlashFailed`` as soon as a run differs from its SHA-256, or the image ends too early or too late: then what was yielded before
    may be wrong too.
    """
    try:
        with _opened(path) as stream:
            at = 0
            for run in bmap.runs:
                at = _skipped(stream, at, run.start)
                digest = hashlib.sha256()
                while at < run.end:
                    data = _read(stream, min(CHUNK_BYTES, run.end - at))
                    digest.update(data)
                    yield at, data
                    at += len(data)
                if digest.hexdigest() != run.sha256:
                    raise FlashFailed(f"{path} is damaged, or the block map is of another image; fetch both again")
            _skipped(stream, at, bmap.image_size)
            # Read to the end: there stands the checksum of what was packed.
            if stream.read(1):
                raise FlashFailed(f"{path} is longer than its block map says; fetch both again")
    except (lzma.LZMAError, EOFError) as error:
        raise FlashFailed(f"{path} is damaged ({error}); fetch it again") from None
    except OSError as error:
        raise FlashFailed(f"{path} cannot be read any more ({error.strerror})") from None


def first_block(path: Path, bmap: BlockMap) -> bytes:
    """The block with the table of partitions, before anything is written; raises ``FlashRefused``."""
    try:
        with _opened(path) as stream:
            return _read(stream, bmap.block_size)
    except (lzma.LZMAError, EOFError) as error:
        raise FlashRefused(f"{path} is damaged ({error}); fetch it again") from None
    except OSError as error:
        raise FlashRefused(f"{path} cannot be read ({error.strerror})") from None


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], lzma.open(path)) if path.suffix == PACKED else path.open("rb")


def _skipped(stream: IO[bytes], at: int, to: int) -> int:
    while at < to:
        at += len(_read(stream, min(CHUNK_BYTES, to - at)))
    return to


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if not data:
        raise EOFError("it ends too early")
    return data
