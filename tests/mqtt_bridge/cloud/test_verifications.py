"""Pre-enrolments in the cloud, from the message to the verdict, on both databases."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.erasures import erase
from mqtt_bridge.cloud.mailing import Claimed, Limits
from mqtt_bridge.cloud.smtp import Delivery
from mqtt_bridge.cloud.standing import ListRefused, MemberList, put_list, read_list
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.cloud.verification_view import pending_orders, say
from mqtt_bridge.cloud.verifier import GONE_MS, Verifier
from mqtt_bridge.protocol.messages import (
    CancelRequested,
    ContactCodeEntered,
    ContactCodeWanted,
    ContactLinkFollowed,
    ContactProven,
    OrderConfirmed,
    OrderPending,
    OrderRefused,
    OrderVerified,
    Private,
    TicketFact,
    TicketsVoided,
    TicketsWithdrawn,
    VenueRetold,
    VerificationMoved,
)
from mqtt_bridge.protocol.stock import Totals
from tests.mqtt_bridge.cloud.world import START_MS, FakeDevice, World, catalogue
from tests.support import postgresql

ANNA = Private("salt", "Anna", "anna@example.org")
MEMBER = Private("salt", "", "anna@example.org", "M-17")


class Slow:
    """A plug-in that answers when the test says so."""

    def __init__(self) -> None:
        self.answer = "unknown"
        self.asked: list[tuple[str, str]] = []

    def check(self, member_number: str, contact: str):
        self.asked.append((member_number, contact))
        if self.answer == "raise":
            raise RuntimeError("their server is down")
        return self.answer


@dataclass
class Centre:
    """A world with a verifier whose mails the test holds in its hands."""

    world: World
    standing: Slow
    limits: Limits = field(default_factory=Limits)
    mails: list[Claimed] = field(default_factory=list)
    became: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = itertools.count(1)
        self.verifier = Verifier(
            self.world.database,
            "one",
            self.post,
            self.standing,
            lambda: self.world.now_ms,
            time.monotonic,
            lambda size: next(numbers).to_bytes(size, "little"),
            self.limits,
        )

    def post(self, mail: Claimed) -> Delivery:
        self.mails.append(mail)
        return self.became.pop(0) if self.became else Delivery("sent")

    def work(self) -> None:
        """Let the verifier do all it can now, and the reconciler send what it decided."""
        quiet = turns = 0
        while quiet < 3 and turns < 100:
            turns += 1
            quiet = 0 if self.verifier.step() else quiet + 1
            for errand in (self.verifier._mail, self.verifier._asked):
                if errand is not None:
                    errand[1]._thread.join(5)
                    quiet = 0
        self.world.tick()

    def told(self, device: str) -> list[object]:
        kinds = (VerificationMoved, OrderVerified, OrderRefused, TicketsWithdrawn)
        return [each for each in self.world.bodies(device) if isinstance(each, kinds)]

    def order(self, order: str = "o1") -> tuple[str, str, str]:
        """(state of the verification, what it waits for, status of the order)"""
        found = self.world.rows(
            f"SELECT v.state, v.waits_for, o.status FROM verification v JOIN orders o ON o.id = v.order_id WHERE o.id = '{order}'"
        )
        return tuple(map(str, found[0]))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.running() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def centre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Centre]:
    url: str | Path = tmp_path / "cloud.db"
    if request.param != "sqlite":
        url = request.getfixturevalue("server")
        postgresql.empty(str(url))
    database = open_cloud(url)
    world = World(database)
    apply_catalogue(database, catalogue(), {}, START_MS)
    yield Centre(world, Slow())
    database.close()


def both(centre: Centre) -> tuple[FakeDevice, FakeDevice]:
    """The hall, which hosts, and the yard, which sells."""
    register_device(centre.world.database, "yard-1", "yard", START_MS)
    return centre.world.add("hall-1", "hall"), centre.world.add("yard-1", "yard")


def sold(device: FakeDevice, order: str, *, private: Private | None = ANNA, verify="contact", channel="mail") -> bytes:
    totals = device.totals
    device.totals = Totals(totals.granted, 0, totals.returned, totals.sold + 1, totals.cancelled)
    ticket = TicketFact(f"{order}-0", f"{order}0", "t", "s", "q", device.epoch, 1250, "EUR")
    body = OrderPending(order, order, "promised", (ticket,), (device.count(),), START_MS, verify, channel, "de")
    return device.envelope(body, private=private)


def test_a_mailed_code_verifies_an_order_for_its_issuer_and_its_door(centre: Centre) -> None:
    _hall, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    assert centre.order() == ("waiting", "code", "pending")
    centre.work()
    [mail] = centre.mails
    assert (mail.contact, mail.language, mail.booking, mail.kind) == ("anna@example.org", "de", "o1", "code")
    assert centre.told("yard-1") == [VerificationMoved("o1", "code", "sent", 5)]
    assert mail.code not in str(centre.world.rows("SELECT * FROM verification")), "only its hash is kept"
    centre.world.tell(yard, yard.envelope(ContactCodeEntered("o1", f"{mail.code[:4]} {mail.code[4:]}")))
    centre.work()
    assert centre.told("yard-1")[-1] == OrderVerified("o1", "centre")
    assert centre.told("hall-1") == [OrderVerified("o1", "centre")]
    assert centre.order() == ("verified", "code", "confirmed")
    assert centre.world.rows("SELECT private FROM verification UNION SELECT private FROM mail") == [(None,)]


def test_wrong_codes_are_counted_and_refuse_nobody(centre: Centre) -> None:
    _, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    for _ in range(6):
        centre.world.tell(yard, yard.envelope(ContactCodeEntered("o1", "99999999")))
    centre.work()
    assert centre.told("yard-1")[-1] == VerificationMoved("o1", "code", "spent", 0)
    centre.world.tell(yard, yard.envelope(ContactCodeEntered("o1", centre.mails[0].code)))
    centre.work()
    assert centre.order() == ("waiting", "code", "pending"), "after five tries the right one is as good as any"
    centre.world.tell(yard, yard.envelope(ContactCodeWanted("o1"), private=ANNA))
    centre.work()
    old, new = centre.mails
    centre.world.tell(yard, yard.envelope(ContactCodeEntered("o1", old.code)))
    centre.world.tell(yard, yard.envelope(ContactCodeEntered("o1", new.code)))
    centre.work()
    assert centre.order()[0] == "verified"


def test_a_mailed_link_is_good_at_any_device_and_for_a_week(centre: Centre) -> None:
    hall, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"), sold(yard, "o2", private=Private("s", "", "bo@example.org")))
    centre.work()
    first, second = centre.mails
    centre.world.tell(
        hall, hall.envelope(ContactLinkFollowed(first.link)), hall.envelope(ContactLinkFollowed("a" * 26))
    )
    centre.work()
    assert centre.order("o1")[0] == "verified"
    centre.world.now_ms += 8 * 24 * 3_600_000
    centre.world.tell(hall, hall.envelope(ContactLinkFollowed(second.link)))
    centre.world.tell(yard, yard.envelope(ContactCodeEntered("o2", second.code)))
    centre.work()
    assert centre.order("o2")[0] == "waiting"
    assert centre.told("yard-1")[-1] == VerificationMoved("o2", "code", "spent", 0)


def test_a_stranger_cannot_speak_for_anothers_order(centre: Centre) -> None:
    hall, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    theirs = (ContactCodeEntered("o1", centre.mails[0].code), ContactProven("o1"), ContactCodeWanted("o1"))
    centre.world.tell(hall, *(hall.envelope(each) for each in theirs))
    centre.work()
    assert centre.order() == ("waiting", "code", "pending")
    assert len(centre.mails) == 1


def test_one_contact_and_one_order_get_few_mails(centre: Centre) -> None:
    _, yard = both(centre)
    centre.world.tell(yard, *(sold(yard, f"o{k}") for k in range(6)))
    centre.work()
    assert len(centre.mails) == 4
    assert centre.told("yard-1").count(VerificationMoved("o5", "code", "limited", 0)) == 1
    centre.world.now_ms += 3_600_001
    for _ in range(7):
        centre.world.tell(yard, yard.envelope(ContactCodeWanted("o5"), private=Private("s", "", f"{_}@example.org")))
    centre.work()
    assert sum(each.order == "o5" for each in centre.mails) <= 4


def test_what_may_have_left_is_not_mailed_again_and_what_did_not_is(centre: Centre) -> None:
    _, yard = both(centre)
    centre.became = [Delivery("ambiguous", "cut off"), Delivery("again", "451"), Delivery("failed", "550")]
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    assert centre.world.rows("SELECT state, private FROM mail") == [("ambiguous", None)]
    assert centre.told("yard-1")[-1] == VerificationMoved("o1", "code", "sent", 5)
    centre.world.tell(yard, sold(yard, "o2"))
    centre.work()
    assert len(centre.mails) == 2
    centre.world.now_ms += 31_000
    centre.work()
    assert len(centre.mails) == 3
    assert centre.mails[2].code != centre.mails[1].code
    assert centre.told("yard-1")[-1] == VerificationMoved("o2", "code", "undeliverable", 5)


def test_a_member_is_asked_about_until_somebody_knows(centre: Centre) -> None:
    _, yard = both(centre)
    knows = centre.standing
    centre.world.tell(yard, sold(yard, "o1", private=MEMBER, verify="member"))
    centre.work()
    centre.world.tell(yard, yard.envelope(ContactCodeEntered("o1", centre.mails[0].code)))
    centre.work()
    assert centre.order() == ("waiting", "standing", "pending")
    assert knows.asked == [("m-17", "anna@example.org")]
    knows.answer = "raise"
    centre.world.now_ms += 61_000
    centre.work()
    assert (len(knows.asked), centre.order()[0]) == (2, "waiting")
    assert "RuntimeError" in str(centre.world.scalar("SELECT reason FROM verifier_job WHERE name = 'standing'"))
    knows.answer = "good"
    centre.world.now_ms += 300_000
    centre.work()
    assert centre.order()[0] == "verified"
    assert [each.kind for each in centre.mails] == ["code", "verified"], "whoever waited for it is written to"


def test_a_member_nobody_knows_is_refused_by_the_rule_of_cancelling(centre: Centre) -> None:
    hall, yard = both(centre)
    centre.standing.answer = "bad"
    centre.world.tell(yard, sold(yard, "o1", private=MEMBER, verify="member", channel="sms"))
    centre.world.tell(yard, yard.envelope(ContactProven("o1")))
    centre.work()
    assert centre.told("yard-1")[-1] == centre.told("hall-1")[-1] == OrderRefused("o1", "member")
    assert centre.order() == ("refused", "standing", "refused")
    ticket = TicketFact("o1-0", "o10", "t", "s", "q", yard.epoch, 1250, "EUR")
    centre.world.tell(yard, yard.envelope(CancelRequested("o1", (ticket,))))
    assert centre.world.bodies("hall-1")[-1] == CancelRequested("o1", (ticket,))
    centre.world.tell(hall, hall.envelope(TicketsVoided("o1", ("o1-0",))))
    centre.world.tell(yard, yard.cancel("o1"))
    assert centre.order()[2] == "cancelled"
    assert centre.world.totals()["yard-1", yard.epoch].cancelled == 1


def test_the_door_may_be_faster_than_the_centre(centre: Centre) -> None:
    hall, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    centre.world.tell(hall, hall.envelope(OrderVerified("o1", "A7")))
    centre.work()
    assert centre.order() == ("verified", "code", "confirmed")
    assert OrderVerified("o1", "A7") in centre.world.bodies("yard-1")
    centre.world.tell(yard, yard.envelope(ContactCodeEntered("o1", centre.mails[0].code)))
    centre.work()
    assert centre.told("yard-1").count(OrderVerified("o1", "centre")) == 0


def test_a_guest_who_cancelled_is_not_verified(centre: Centre) -> None:
    _, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    centre.world.tell(yard, yard.cancel("o1"), yard.envelope(ContactCodeEntered("o1", centre.mails[0].code)))
    centre.work()
    assert centre.order() == ("ended", "code", "cancelled")
    assert not any(isinstance(each, OrderVerified) for each in centre.told("yard-1"))


def test_told_again_in_another_life_it_stays_what_it_became(centre: Centre) -> None:
    _, yard = both(centre)
    again = sold(yard, "o1")
    centre.world.tell(yard, again)
    centre.work()
    centre.world.tell(yard, again, yard.envelope(ContactCodeEntered("o1", centre.mails[0].code)))
    centre.work()
    yard.totals = Totals(yard.totals.granted, 0, 0, 0, 0)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    assert centre.order() == ("verified", "code", "confirmed")
    assert len(centre.mails) == 1


def test_the_verdict_about_a_sealed_devices_order_goes_to_whoever_answers_for_it(centre: Centre) -> None:
    _, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    losses.seal_device(centre.world.database, "yard-1", "op", "lost", centre.world.now_ms, log=None)
    centre.world.tick()
    say(centre.world.database, ["o1"], "refuse", "ops", centre.world.now_ms)
    centre.work()
    told = centre.told("hall-1")
    assert told[0] == OrderRefused("o1", "operator")
    assert isinstance(told[1], TicketsWithdrawn), "nobody is left who would ask the door"


def test_a_replacement_is_told_what_is_pending(centre: Centre) -> None:
    hall, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    why = ("op", "lost", centre.world.now_ms)
    losses.replace_device(centre.world.database, "hall-2", "hall", "hall-1", *why, log=None)
    centre.world.tick()
    new = FakeDevice("hall-2", "hall")
    new.hello(centre.world)
    centre.world.tick()
    [retold] = [each for each in centre.world.bodies("hall-2") if isinstance(each, VenueRetold)]
    assert [type(each.body) for each in retold.told] == [OrderPending]
    assert hall.name == "hall-1"


def test_operators_decide_by_hand_and_see_what_waits(centre: Centre) -> None:
    _, yard = both(centre)
    centre.became = [Delivery("failed", "550")]
    centre.world.tell(yard, sold(yard, "o1"), sold(yard, "o2"))
    centre.work()
    with centre.world.database.read() as db:
        seen = pending_orders(db)
    assert [(each.order, each.waits_for, each.news) for each in seen] == [
        ("o1", "code", "undeliverable"),
        ("o2", "code", "sent"),
    ]
    assert say(centre.world.database, ["o1", "nothing"], "approve", "ops", centre.world.now_ms) == 1
    assert say(centre.world.database, ["o2"], "refuse", "ops", centre.world.now_ms) == 1
    centre.work()
    assert centre.order("o1")[0] == "verified"
    assert centre.order("o2")[0] == "refused"
    assert [each.kind for each in centre.mails[2:]] == ["verified", "refused"]


def test_a_forgotten_person_is_not_mailed(centre: Centre) -> None:
    _, yard = both(centre)
    centre.became = [Delivery("again", "451")]
    centre.world.tell(yard, sold(yard, "o1", private=MEMBER, verify="member"))
    centre.work()
    erase(centre.world.database, centre.world.key, "acme", centre.world.now_ms, "00" * 16, contact="Anna@Example.org")
    assert centre.world.rows("SELECT private FROM verification UNION SELECT private FROM mail") == [(None,)]
    centre.world.now_ms += 60_000
    centre.work()
    assert len(centre.mails) == 1


def test_of_two_verifiers_one_works_and_the_other_takes_over(centre: Centre) -> None:
    _, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    other = Centre(centre.world, Slow())
    other.verifier.owner = "two"
    centre.verifier.step()
    assert not other.verifier.step()
    centre.verifier._mail = None  # it died while it was sending
    centre.world.now_ms += max(GONE_MS, 3 * 60_000) + 1
    other.verifier._beat_s = -1
    other.work()
    assert centre.world.scalar("SELECT state FROM mail") == "ambiguous"
    assert len(centre.mails) + len(other.mails) == 1


def test_without_a_mail_server_a_person_has_to_look(centre: Centre) -> None:
    _, yard = both(centre)
    centre.verifier.post = None
    centre.verifier.limits = Limits(mails=False)
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    assert centre.told("yard-1") == [VerificationMoved("o1", "code", "undeliverable", 0)]
    assert centre.world.scalar("SELECT state FROM verifier_job WHERE name = 'mail'") == "off"


def test_a_list_of_members_is_read_as_spreadsheets_write_it(centre: Centre) -> None:
    database, now = centre.world.database, lambda: centre.world.now_ms
    known = MemberList(database, now)
    assert known.check("m-17", "a@b.example") == "unknown", "without a list nothing can be said"
    text = "\ufeffNumber,Contact,Until\r\n M-17 ,Anna@Example.org,\r\nM-18,,2023-11-14\r\nM-19,,2023-11-13\r\nM-21,,9999-12-31\r\n"
    assert put_list(database, read_list(text), "ops", START_MS) == 4
    assert known.check("m-17", "anna@example.org") == "good"
    assert known.check("m-17", "eve@example.org") == "bad"
    assert known.check("m-18", "x@example.org") == "good"
    assert known.check("m-19", "x@example.org") == "bad", "its last day is over"
    assert known.check("m-20", "x@example.org") == "bad"
    assert known.check("m-21", "x@example.org") == "good", "for ever"
    assert "example.org" not in str(centre.world.rows("SELECT * FROM standing"))


@pytest.mark.parametrize("until", ["soon", "2023-13-01", "0000-01-01", "99999-12-31", "9999-12-32"])
def test_a_day_that_no_calendar_has_is_named_with_its_line(until: str) -> None:
    with pytest.raises(ListRefused) as caught:
        read_list(f"number,until\nM-17,9999-12-31\nM-18,{until}\nM-19,0001-01-01\n")
    assert caught.value.problems == [f"line 3: {until!r} is not a day; write it like 2027-12-31"]


def test_a_receipt_that_is_not_verified_proves_no_more_than_that(centre: Centre) -> None:
    _, yard = both(centre)
    centre.world.tell(yard, sold(yard, "o1"))
    confirmed = OrderConfirmed("o1", "o1", "promised", (), (), START_MS)
    centre.world.tell(yard, yard.envelope(confirmed))
    centre.work()
    assert centre.order() == ("verified", "code", "confirmed"), "its own device may have seen the proof"


def test_after_a_restore_nothing_is_mailed_before_its_device_has_told_all(centre: Centre) -> None:
    """What it still has to tell may be that the order is confirmed or gone."""
    _, yard = both(centre)
    with centre.world.database.write() as db:
        db.exec_driver_sql("UPDATE incarnation SET due_upto = 2 WHERE device = 'yard-1'")
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    assert centre.mails == []
    centre.world.tell(yard, yard.cancel("o1"))
    centre.work()
    assert centre.order() == ("ended", "code", "cancelled")
    assert centre.mails == [], "nobody wants it any more"


def test_words_that_have_to_wait_hold_up_nobody_elses(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than are taken at once."""
    monkeypatch.setattr("mqtt_bridge.cloud.settling.WORDS_AT_ONCE", 2)
    hall, yard = both(centre)
    with centre.world.database.write() as db:
        db.exec_driver_sql("UPDATE incarnation SET due_upto = 99 WHERE device = 'yard-1'")
    people = [Private("s", "", f"{k}@example.org") for k in range(4)]
    centre.world.tell(yard, *(sold(yard, f"y{k}", private=people[k]) for k in range(3)))
    centre.world.tell(hall, sold(hall, "h0", private=people[3]))
    centre.work()
    assert [each.order for each in centre.mails] == ["h0"]
    assert centre.world.scalar("SELECT count(*) FROM verification_word") == 3


def test_nobody_waits_for_what_a_sealed_device_had_still_to_tell(centre: Centre) -> None:
    """It may never come, and the cloud speaks for it from now on."""
    _, yard = both(centre)
    with centre.world.database.write() as db:
        db.exec_driver_sql("UPDATE incarnation SET due_upto = 99 WHERE device = 'yard-1'")
    centre.world.tell(yard, sold(yard, "o1"))
    centre.work()
    assert centre.mails == []
    losses.seal_device(centre.world.database, "yard-1", "op", "lost", centre.world.now_ms, log=None)
    centre.work()
    assert [each.order for each in centre.mails] == ["o1"]
