"""Who is a member: a small protocol, a list the operator imports, and room for others (entry points ``marquee.standing``).

A plug-in is a function ``(url: str) -> Standing``. It may take its time, up to a deadline: it is asked in a thread of its own.
"""

from __future__ import annotations

import csv
import hmac
import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Literal, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.directory import audit
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.privacy import contact_digest
from mqtt_bridge.protocol.proofs import LONGEST_MEMBER, member_number

GROUP = "marquee.standing"
BUILT_IN = "list"
MOST_MEMBERS = 1_000_000
_DAY_MS = 24 * 3600 * 1000
Answer = Literal["good", "bad", "unknown"]


class Standing(Protocol):
    """Knows who is a member."""

    def check(self, member_number: str, contact: str) -> Answer:
        """Say whether this number is a member's and the contact fits; ``unknown`` where that cannot be said now: asked again later.

        What it raises counts as ``unknown``.
        """
        ...


class MemberList:
    """The operator's list. A member without a contact in it is anybody who knows the number and proved some contact."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def check(self, member_number: str, contact: str) -> Answer:
        """See ``Standing.check``; without any list nothing can be said."""
        c = t.standing.c
        with self._database.read() as db:
            row = db.execute(sa.select(t.standing).where(c.number == member_number)).first()
            if row is None:
                return "bad" if db.execute(sa.select(c.number).limit(1)).first() is not None else "unknown"
        if row.until_ms is not None and self._clock() >= row.until_ms:
            return "bad"
        salt, _, digest = row.contact_digest.partition(":")
        fits = not digest or hmac.compare_digest(digest, contact_digest(salt, contact))
        return "good" if fits else "bad"


def standing_for(url: str, database: Database, clock: Callable[[], int]) -> Standing:
    """Return what ``url`` names: ``list``, or a plug-in by its scheme. Raises ``ValueError`` listing those there are."""
    name = url.partition(":")[0]
    if name == BUILT_IN:
        return MemberList(database, clock)
    for entry in entry_points(group=GROUP, name=name):
        made: Standing = entry.load()(url)
        return made
    known = sorted({BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})
    msg = f"nothing called {name!r} knows members here; there are: {', '.join(known)}"
    raise ValueError(msg)


@dataclass(frozen=True)
class Line:
    """One member of a list."""

    number: str
    contact: str
    until_ms: int | None


class ListRefused(Exception):
    """A list that cannot be used; ``problems`` name the lines."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_list(text: str) -> list[Line]:
    """Return the members of a CSV file with the columns ``number``, and if wanted ``contact`` and ``until`` (a last day, UTC)."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    known = [each.strip().casefold() for each in reader.fieldnames or ()]
    if "number" not in known or not {"number", "contact", "until"}.issuperset(known):
        raise ListRefused(["line 1: write the columns number, contact, until; only number is needed"])
    reader.fieldnames = known
    found: dict[str, Line] = {}
    problems: list[str] = []
    for row in reader:
        number = member_number(row.get("number") or "")
        until = (row.get("until") or "").strip()
        try:
            until_ms = _end_of(until) if until else None
        except ValueError:
            problems.append(f"line {reader.line_num}: {until!r} is not a day; write it like 2027-12-31")
            continue
        if not number or len((row.get("number") or "").strip()) > LONGEST_MEMBER or None in row:
            problems.append(
                f"line {reader.line_num}: needs a number of at most {LONGEST_MEMBER} characters, and no more columns"
            )
        elif number in found:
            problems.append(f"line {reader.line_num}: the number {number!r} stands above already")
        else:
            found[number] = Line(number, (row.get("contact") or "").strip(), until_ms)
    if len(found) > MOST_MEMBERS:
        problems.append(f"more than {MOST_MEMBERS} members")
    if problems:
        raise ListRefused(problems[:20])
    return list(found.values())


def put_list(database: Database, members: list[Line], who: str, wall_ms: int) -> int:
    """Let this list take the place of the one before, in one transaction; of contacts only salted hashes are kept."""

    def run(db: Connection) -> int:
        db.execute(sa.delete(t.standing))
        rows = [
            {"number": each.number, "contact_digest": _kept(each.contact), "until_ms": each.until_ms}
            for each in members
        ]
        if rows:
            db.execute(sa.insert(t.standing), rows)
        # Of whom nothing could be said before, it is asked again at once.
        v, w = t.verification.c, t.verification_word.c
        ask = sa.select(v.order_id, sa.literal("ask"), sa.literal(""), sa.literal(wall_ms))
        ask = ask.where(v.state == "waiting", v.waits_for == "standing")
        db.execute(sa.insert(t.verification_word).from_select([w.order_id, w.word, w.detail, w.at_ms], ask))
        audit(db, wall_ms, who, "member list imported", "", f"{len(rows)} members")
        return len(rows)

    return database.run(run)


def _kept(contact: str) -> str:
    """Return what is kept of a contact: a salt of its own and the salted hash."""
    salt = secrets.token_hex(8)
    return f"{salt}:{contact_digest(salt, contact)}" if contact else ""


def _end_of(day: str) -> int:
    # In ms, which go on where the calendar ends: lists write 9999-12-31 for ever.
    return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000) + _DAY_MS
