"""Which device may have a certificate: tokens that work once, the keys pinned by them, and what was revoked.

Rows only; signing is in ``authority``. Whoever gets a certificate is written down in the transaction that uses up the token,
before the certificate leaves: a crash in between costs the device one more request, with the same token and the same key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.directory import DirectoryRefused, audit, lock
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database

DAY_MS = 86_400_000
TOKEN_BYTES = 32
TOKEN_DAYS = 30


class EnrolmentRefused(Exception):
    """No certificate is given; ``reason`` is a word for programs, the text a sentence for people."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


@dataclass(frozen=True)
class Issued:
    """A certificate that is given: its serial number and public key (SHA-256) in hex, its end, the token's hash or nothing."""

    serial: str
    device: str
    key: str
    not_after_ms: int
    issued_at_ms: int
    token: str = ""


def token_hash(token: str) -> str:
    """What is kept of a token; it has 256 random bits, so one pass of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def make_token(database: Database, device: str, wall_ms: int, *, days: int = TOKEN_DAYS, renew: bool = False) -> str:
    """Return a fresh token that enrols ``device`` once within ``days``.

    Raises ``DirectoryRefused`` for an unknown or sealed device, and, unless it is to ``renew``, where there is one already.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)

    def make(db: Connection) -> str:
        lock(db)
        status = db.execute(sa.select(t.device.c.status).where(t.device.c.name == device)).scalar()
        if status is None:
            raise DirectoryRefused(f"no device {device!r} is registered")
        if status == "sealed":
            raise DirectoryRefused(f"device {device!r} is sealed and never sells again; provision another name")
        earlier = db.execute(sa.select(t.enrolment).where(t.enrolment.c.device == device, ~t.enrolment.c.void)).all()
        if earlier and not renew:
            raise DirectoryRefused(_there_is_one(device, earlier[-1]))
        unused = (t.enrolment.c.device == device, t.enrolment.c.used_at_ms.is_(None))
        db.execute(sa.update(t.enrolment).where(*unused).values(void=True))
        row = {"token": token_hash(token), "device": device, "made_at_ms": wall_ms}
        db.execute(sa.insert(t.enrolment).values(**row, expires_at_ms=wall_ms + days * DAY_MS, key="", void=False))
        audit(db, wall_ms, "operator", "token made", device, f"good for {days} days")
        return token

    return database.run(make)


def _there_is_one(device: str, row: sa.Row[tuple[object, ...]]) -> str:
    if row.used_at_ms is not None:
        when = _date(row.used_at_ms)
        return (
            f"device {device!r} used its token on {when}; say --renew-token for the same card again, or for another one "
            "before the first has connected; after that another card needs a name of its own"
        )
    return (
        f"device {device!r} has a token that works until {_date(row.expires_at_ms)}; use the file that was written then, "
        "or say --renew-token to make another, which ends that one"
    )


def _date(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def enrol(database: Database, token: str, key: str, serial: str, not_after_ms: int, wall_ms: int) -> Issued:
    """Use up a token and write down the certificate that ``key`` is given; once more for the same key changes nothing else.

    Raises ``EnrolmentRefused``. Another key with a used token is somebody who copied the file: that is an alarm.
    """
    digest = token_hash(token)

    def use(db: Connection) -> Issued | EnrolmentRefused:
        lock(db)
        row = db.execute(sa.select(t.enrolment).where(t.enrolment.c.token == digest)).one_or_none()
        if row is None:
            return EnrolmentRefused("unknown-token", "this token is not known here")
        refused = _sealed(db, row.device) or _objection(row, wall_ms)
        if refused is None and row.used_at_ms is not None and not hmac.compare_digest(row.key, key):
            when = _date(row.used_at_ms)
            _alarm(db, row.device, f"a token used on {when} was sent again with another key ({key[:16]})", wall_ms)
            refused = EnrolmentRefused("used-token", "this token was used before, by another device or card")
        if refused is not None:
            return refused
        if row.used_at_ms is None:
            _pin(db, row.device, digest, key, wall_ms)
        return _note(db, Issued(serial, row.device, key, not_after_ms, wall_ms, digest))

    return _given(database.run(use))


def renew(database: Database, device: str, key: str, serial: str, not_after_ms: int, wall_ms: int) -> Issued:
    """Write down the next certificate of a device that asks with its pinned key; raises ``EnrolmentRefused``."""

    def again(db: Connection) -> Issued | EnrolmentRefused:
        lock(db)
        return _stranger(db, device, key) or _note(db, Issued(serial, device, key, not_after_ms, wall_ms))

    return _given(database.run(again))


def check_known(database: Database, device: str, key: str) -> None:
    """Raise ``EnrolmentRefused`` unless ``renew`` would give this device the next certificate for this key."""
    with database.read() as db:
        if refused := _stranger(db, device, key):
            raise refused


def number_of_devices(db: Connection) -> int:
    """Return how many devices there are that were not sealed."""
    live = sa.select(sa.func.count()).select_from(t.device).where(t.device.c.status != "sealed")
    return int(db.execute(live).scalar_one())


def _given(found: Issued | EnrolmentRefused) -> Issued:
    # A refusal is an answer of the transaction, since its alarm must be kept.
    if isinstance(found, EnrolmentRefused):
        raise found
    return found


def _objection(row: sa.Row[tuple[object, ...]], wall_ms: int) -> EnrolmentRefused | None:
    if row.void:
        return EnrolmentRefused("void-token", "a newer token was made for this device; use the newest file")
    if row.used_at_ms is None and wall_ms >= row.expires_at_ms:
        return EnrolmentRefused("expired-token", f"this token expired on {_date(row.expires_at_ms)}")
    return None


def _stranger(db: Connection, device: str, key: str) -> EnrolmentRefused | None:
    pinned = (t.enrolment.c.device == device, ~t.enrolment.c.void, t.enrolment.c.used_at_ms.is_not(None))
    row = db.execute(sa.select(t.enrolment).where(*pinned)).one_or_none()
    if row is None or not hmac.compare_digest(row.key, key):
        return EnrolmentRefused("unknown-key", "no device enrolled under this name with this key")
    return _sealed(db, device)


def _sealed(db: Connection, device: str) -> EnrolmentRefused | None:
    if db.execute(sa.select(t.device.c.status).where(t.device.c.name == device)).scalar() in {None, "sealed"}:
        return EnrolmentRefused("sealed", f"device {device} was sealed; provision another name")
    return None


def _pin(db: Connection, device: str, digest: str, key: str, wall_ms: int) -> None:
    """From now on this key speaks for the device, and what another one was given before is revoked."""
    older = (t.enrolment.c.device == device, t.enrolment.c.token != digest)
    db.execute(sa.update(t.enrolment).where(*older).values(void=True))
    others = (t.certificate.c.device == device, t.certificate.c.key != key, t.certificate.c.revoked_at_ms.is_(None))
    db.execute(sa.update(t.certificate).where(*others).values(revoked_at_ms=wall_ms))
    mine = t.enrolment.c.token == digest
    db.execute(sa.update(t.enrolment).where(mine).values(used_at_ms=wall_ms, key=key))
    audit(db, wall_ms, "authority", "device enrolled", device, key[:16])


def _note(db: Connection, issued: Issued) -> Issued:
    row = {"serial": issued.serial, "device": issued.device, "key": issued.key, "not_after_ms": issued.not_after_ms}
    db.execute(sa.insert(t.certificate).values(**row, issued_at_ms=issued.issued_at_ms))
    return issued


def _alarm(db: Connection, device: str, words: str, wall_ms: int) -> None:
    work = Work(SqlRows(db))
    raise_alarm(work, "token-reused", device, words, wall_ms)
    work.write()


def revoke(database: Database, device: str, who: str, wall_ms: int) -> int:
    """Revoke every certificate of a device and end its key and tokens; returns how many certificates that were."""

    def end(db: Connection) -> int:
        lock(db)
        mine = (t.certificate.c.device == device, t.certificate.c.revoked_at_ms.is_(None))
        number = db.execute(sa.update(t.certificate).where(*mine).values(revoked_at_ms=wall_ms)).rowcount
        db.execute(sa.update(t.enrolment).where(t.enrolment.c.device == device).values(void=True))
        audit(db, wall_ms, who, "certificates revoked", device, str(number))
        return number

    return database.run(end)


def revoked(database: Database, wall_ms: int) -> tuple[tuple[str, int], ...]:
    """Return (serial, revoked at ms) of what belongs on the revocation list, by serial.

    Stolen devices' certificates are put on it here. One that was sealed otherwise may come back to tell what it sold and to return
    the rest, so its certificate stays until it ends; it gets no other.
    """
    # A stolen device is one whose keys are believed no more; one that was never heard of has nothing to tell.
    speaks = sa.select(t.device_key.c.device).where(~t.device_key.c.revoked)
    stolen = sa.select(t.device.c.name).where(t.device.c.status == "sealed", t.device.c.name.not_in(speaks))
    live = t.certificate.c.revoked_at_ms.is_(None)
    with database.read() as db:
        due = db.execute(sa.select(t.certificate.c.serial).where(live, t.certificate.c.device.in_(stolen))).first()
    if due is not None:
        late = sa.update(t.certificate).where(live, t.certificate.c.device.in_(stolen)).values(revoked_at_ms=wall_ms)
        database.run(lambda db: db.execute(late))
    query = sa.select(t.certificate.c.serial, t.certificate.c.revoked_at_ms).where(
        ~live, t.certificate.c.not_after_ms > wall_ms
    )
    with database.read() as db:
        return tuple((row.serial, row.revoked_at_ms) for row in db.execute(query.order_by(t.certificate.c.serial)))


def known_certificates(database: Database) -> int:
    """Return how many certificates the database knows."""
    with database.read() as db:
        return int(db.execute(sa.select(sa.func.count()).select_from(t.certificate)).scalar_one())


def recall(database: Database, entries: tuple[Issued, ...]) -> int:
    """Write down again what a database put back from a backup forgot; returns how many certificates that were."""

    def put_back(db: Connection) -> int:
        lock(db)
        known = set(db.execute(sa.select(t.certificate.c.serial)).scalars())
        missing = [each for each in entries if each.serial not in known]
        for each in missing:
            row = db.execute(sa.select(t.enrolment).where(t.enrolment.c.token == each.token)).one_or_none()
            if row is None and each.token:
                times = {"made_at_ms": each.issued_at_ms, "expires_at_ms": each.issued_at_ms}
                db.execute(
                    sa.insert(t.enrolment).values(token=each.token, device=each.device, key="", void=False, **times)
                )
            if each.token and (row is None or row.used_at_ms is None):
                _pin(db, each.device, each.token, each.key, each.issued_at_ms)
            _note(db, each)
        return len(missing)

    return database.run(put_back)
