"""``marquee first-boot``: takes the provisioning file over. It runs as root, before everything else of ours, where there is a file.

Idempotent: what it did is written down last, so a power cut in between makes it do the same once more. The file stays where
it is until the device has enrolled; the next look overwrites and removes it then.
"""

from __future__ import annotations

import argparse
import hashlib
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.domain.provisioning import LONGEST_BYTES, Provisioning, ProvisioningError, read_provisioning
from appliance.domain.setup import WORDS, Setup, Step, settings_of
from appliance.services import setting_up as files
from appliance.settings import Settings
from mqtt_bridge import durable

# What belongs to the device that a data folder was; a file for another device moves it aside and deletes nothing.
_OF_A_DEVICE = ("marquee.db", "device.pem", "web.key", "tls")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of the file: what is wrong, what it says if it is the one this device goes by, and whether it has done its work."""

    problems: tuple[str, ...] = ()
    accepted: Provisioning | None = None
    used: bool = False


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Exit status 0: this is a provisioned device; 1: it is not, or the file was refused. Said on standard error, too.

    What lies in the data folder may be of whoever took one of our processes over. So it is read and written with the rights of
    those processes, and what root does follows from the file alone, as it was read here.
    """
    data = settings.device.data
    files.make_folder(data)
    raw = _read(given.file)
    said = _understood(raw) if raw is not None else None
    with files.as_owner_of(data):
        outcome = _take(raw, said, data)
    if outcome.accepted is not None:
        if given.call_host:
            _call_host(outcome.accepted.name)
        print(f"first-boot: this is {outcome.accepted.name}")
        _hand_out_keys(given.ssh_keys, outcome.accepted.ssh_keys)
    # The file last: a power cut before this does the rest once more.
    problems = [*outcome.problems, *(_remove(given.file) if outcome.used else ())]
    for problem in problems:
        print(f"first-boot: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _understood(raw: bytes) -> Provisioning | list[str]:
    """What a file says, or what is wrong with it."""
    try:
        return read_provisioning(raw)
    except ProvisioningError as error:
        return error.problems


def _take(raw: bytes | None, said: Provisioning | list[str] | None, data: Path) -> _Outcome:
    known = (data / files.DEVICE).exists()
    if raw is None or said is None:
        if not known:
            files.write_setup(data, Setup("no_file"))
        return _Outcome() if known else _Outcome((" ".join(WORDS["no_file"]),))
    if isinstance(said, list):
        if not known:
            files.write_setup(data, Setup("bad_file", tuple(said)))
        return _Outcome(tuple(said))
    taken, enrolled, wanted = files.read_taken(data), files.is_enrolled(data), said
    digest = hashlib.sha256(raw).hexdigest()
    if known and taken is not None and taken.digest == digest:
        return _Outcome((), wanted, used=enrolled)
    if enrolled and not wanted.replace:
        name = taken.name if taken is not None else "another device"
        words = f"this is {name} already, so the provisioning file for {wanted.name} is refused; "
        return _Outcome((words + "write replace = true below [device] if this card is to be what it says",))
    return _Outcome((), wanted, used=_take_over(raw, digest, wanted, taken, data))


def _remove(file: Path) -> list[str]:
    try:
        durable.shred(file)
    except OSError as error:
        return [
            f"{file} cannot be removed ({error.strerror}); its passphrases, and a token that was not used, can be read there"
        ]
    return []


def _read(file: Path) -> bytes | None:
    """The file, or None where there is none; one that was overwritten and not removed in time is none."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(LONGEST_BYTES + 1)
    except OSError:
        return None
    return raw if raw.strip(b"\0 \r\n") else None


def _take_over(raw: bytes, digest: str, wanted: Provisioning, taken: files.Taken | None, data: Path) -> bool:
    """Make of the file what it says; tells whether that is all: the device goes on with the certificate that it has."""
    now = files.Taken(digest, wanted.org, wanted.name, wanted.venue)
    same = taken is not None and (taken.org, taken.name, taken.venue) == (now.org, now.name, now.venue)
    # Another authority's certificate would be worth nothing; at another address it may name another broker, which only enrolling tells.
    kept = files.enrolment(data) if same else None
    if kept is not None and (kept.url, kept.ca) != (wanted.url, wanted.ca):
        kept = None
    if taken is not None and not same:
        _move_aside(data, taken.name)
    elif kept is None:
        # The key stays: a token that was used with it, and whose answer got lost, works with no other.
        (data / "tls" / "device.pem").unlink(missing_ok=True)
    for name, secret in (("hotspot", wanted.wifi.passphrase), ("uplink", wanted.uplink.passphrase)):
        path = data / f"{name}.passphrase"
        if secret:
            files.write(path, f"{secret}\n".encode())
        else:
            path.unlink(missing_ok=True)
    if kept is None:
        files.write(data / files.COPY, raw)
        settings = settings_of(wanted, str(data))
    else:
        # Of a file before, if any: nothing asks for a certificate any more.
        durable.shred(data / files.COPY)
        settings = settings_of(wanted, str(data), kept.broker, kept.portal)
    files.write(data / files.HOST, f"{host_of(wanted.name)}\n".encode())
    files.write(data / files.DEVICE, settings.encode())
    step: Step = "waiting" if kept is None else "done"
    files.write_setup(data, Setup(step, (), wanted.name, wanted.venue, wanted.pin))
    files.write(data / files.TAKEN, msgspec.json.encode(now))
    return kept is not None


def _move_aside(data: Path, name: str) -> None:
    """Bookings of the device that this was are kept: it can still be recovered from them."""
    mine = [path for path in data.iterdir() if path.name.startswith(_OF_A_DEVICE)]
    if not mine:
        return
    number = 1 + sum(1 for _ in data.glob("before-*"))
    # The name was read in the folder of our processes, and may be none.
    folder = data / (f"before-{number}-{name}" if "/" not in name else f"before-{number}-other")
    files.make_folder(folder)
    for path in mine:
        path.rename(folder / path.name)
    durable.sync_folder(folder)
    durable.sync_folder(data)


def host_of(device: str) -> str:
    """Return what the host of a device is called: RFC 1123 knows no underscore."""
    return device.replace("_", "-")


def _call_host(name: str) -> None:
    """The host is called as its device, until the next boot."""
    host = host_of(name)
    try:
        if socket.gethostname() != host:
            socket.sethostname(host)
    except OSError as error:
        print(f"first-boot: the host keeps its name: {error.strerror}", file=sys.stderr)


def _hand_out_keys(where: Path | None, keys: tuple[str, ...]) -> None:
    """Operators' SSH keys of the file, for sshd, at each boot until it goes: a power cut must not leave a device without them."""
    if where is None:
        return
    try:
        where.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        durable.write(where, "".join(f"{each}\n" for each in keys).encode(), 0o644)
    except OSError as error:
        print(
            f"first-boot: {where} cannot be written ({error.strerror}): no operator can sign in by SSH", file=sys.stderr
        )
