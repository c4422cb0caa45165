"""Verify signatures in another process while this one works: half of what an event costs is its signature.

Only a confirmation counts. What the helper did not confirm (it is slow, gone, or the signature is bad) is verified here, so the helper
decides nothing by itself. It ends with its standard input, also when this process is killed.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO

import msgspec
import structlog

from mqtt_bridge.cloud.opened import Read
from mqtt_bridge.protocol.codec import Verifier, key_id, public_key

log = structlog.get_logger("marquee.reconciler")

# Fewer are verified here in less time than it takes to ask.
FEWEST = 32
MOST_UNDER_WAY = 8_000
PATIENCE_S = 2.0

Claim = tuple[str, bytes, bytes]
"""Public key in hex, signature, data."""


class Ahead:
    """``look`` at messages that will be applied soon; keys made by ``key_of`` ask for what was confirmed."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self._by_kid: dict[str, str] = {}
        self._under_way: dict[Claim, Future[frozenset[int]]] = {}
        self._place: dict[Claim, int] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verifying ahead")
        self._helper: subprocess.Popen[bytes] | None = None
        self._gone = False

    def key_of(self, public: str) -> Verifier:
        """The key of 32 raw bytes in hex; raises ``ProtocolError`` if they are none."""
        key = self._keys.get(public)
        if key is None:
            key = self._keys[public] = _Key(public, self)
            self._by_kid[key_id(bytes.fromhex(public))] = public
        return key

    def look(self, reads: Collection[Read]) -> None:
        """Begin to verify those whose key was used before."""
        if self._gone or len(reads) < FEWEST:
            return
        claims = [claim for each in reads if (claim := self._claim(each)) is not None]
        if len(claims) < FEWEST:
            return
        if len(self._under_way) > MOST_UNDER_WAY:
            self._under_way.clear()
            self._place.clear()
        job = self._thread.submit(self._ask, claims)
        for place, claim in enumerate(claims):
            self._under_way[claim], self._place[claim] = job, place

    def confirmed(self, claim: Claim) -> bool:
        """Whether the helper verified this; waits for it if it is about to."""
        job = self._under_way.pop(claim, None)
        if job is None or self._gone:
            return False
        place = self._place.pop(claim)
        try:
            return place in job.result(PATIENCE_S)
        except TimeoutError:  # nobody waits twice for one that is slow
            self._under_way = {each: other for each, other in self._under_way.items() if other is not job}
            self._place = {each: self._place[each] for each in self._under_way}
        except Exception as error:  # noqa: BLE001  whatever it is, we verify ourselves
            log.warning("ahead.gone", error=type(error).__name__)
            self._gone = True
        return False

    def close(self) -> None:
        """End the helper."""
        self._gone = True
        self._thread.shutdown(cancel_futures=True)
        if self._helper is not None:
            for pipe in (self._helper.stdin, self._helper.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._helper.wait(PATIENCE_S)

    def _claim(self, read: Read) -> Claim | None:
        public = self._by_kid.get(read.envelope.kid)
        if public is None or read.proven == public:
            return None
        try:
            return (public, bytes.fromhex(read.envelope.sig), read.text)
        except ValueError:
            return None

    def _ask(self, claims: list[Claim]) -> frozenset[int]:
        """Runs in our one thread: hand the claims over and wait for the numbers of the good ones."""
        if self._helper is None:
            command = [sys.executable, "-m", "mqtt_bridge.cloud.ahead"]
            self._helper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._helper.stdin is None or self._helper.stdout is None:
            raise OSError("no pipes")
        _write(self._helper.stdin, msgspec.msgpack.encode(claims))
        answer = _read(self._helper.stdout)
        if answer is None:
            raise OSError("the helper is gone")
        return frozenset(msgspec.msgpack.decode(answer, type=list[int]))


class _Key:
    """A public key that need not verify what was confirmed."""

    def __init__(self, public: str, ahead: Ahead) -> None:
        self._public = public
        self._ahead = ahead
        self._key = public_key(public)

    def verify(self, signature: bytes, data: bytes) -> None:
        if not self._ahead.confirmed((self._public, signature, data)):
            self._key.verify(signature, data)


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(4, "big") + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    size = pipe.read(4)
    return pipe.read(int.from_bytes(size, "big")) if len(size) == 4 else None


def serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Be the helper until ``asked`` ends."""
    keys: dict[str, Verifier] = {}
    while (data := _read(asked)) is not None:
        good = []
        for place, (public, signature, text) in enumerate(msgspec.msgpack.decode(data, type=list[Claim])):
            with contextlib.suppress(Exception):  # bad in whatever way: not confirmed
                if public not in keys:
                    keys[public] = public_key(public)
                keys[public].verify(signature, text)
                good.append(place)
        _write(answers, msgspec.msgpack.encode(good))


if __name__ == "__main__":
    import signal

    for each in (signal.SIGINT, signal.SIGTERM):  # who asks decides when to end
        signal.signal(each, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
