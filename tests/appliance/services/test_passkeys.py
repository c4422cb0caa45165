"""A passkey signs in whoever made it, once per question, with the owner asked each time, and never where the clock is not trusted."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.domain.errors import Invalid, LimitReached, NotFound, Unauthorised
from appliance.domain.pins import hash_pin
from appliance.services import passkeys, staff, sync
from appliance.services.passkeys import Party
from appliance.store import tables
from tests.support.authenticator import Authenticator
from tests.support.box import BADGE, PIN, TestBox, example_catalogue

HALL = Party("hall.example.org", "https://hall.example.org")
HERE = "10.0.0.9"


@pytest.fixture
def phone(box: TestBox) -> Authenticator:
    """Ada's phone, registered."""
    made = Authenticator(HALL.origin)
    register(box, made)
    return made


def register(box: TestBox, phone: Authenticator, badge: str = BADGE, party: Party = HALL) -> None:
    options = box.run(lambda unit: passkeys.begin_registration(unit, badge, HALL))
    passkeys.register(box, badge, phone.create(options), "Ada's phone", party)


def question(box: TestBox) -> str:
    return box.run(lambda unit: passkeys.begin_sign_in(unit, HERE, HALL))


def enter(box: TestBox, phone: Authenticator, party: Party = HALL) -> str:
    return passkeys.sign_in(box, phone.get(question(box)), HERE, party).token


def audits(box: TestBox) -> list[str]:
    with box.database.read() as db:
        return [row.action for row in db.execute(tables.audit.select()).all()]


def test_a_registered_phone_signs_in_as_its_owner(box: TestBox, phone: Authenticator):
    token = enter(box, phone)
    assert box.look(lambda unit: staff.authenticate(unit, token)).badge == BADGE
    (shown,) = box.look(passkeys.all_of_staff)
    assert (shown.name, shown.label, shown.used_at_ms) == ("Ada", "Ada's phone", box.clock().wall_ms)
    assert audits(box)[-2:] == ["passkey_registered", "sign_in_passkey"]


def test_what_a_phone_stores_of_its_owner_says_nothing_about_them(phone: Authenticator):
    assert len(phone.user) == 32
    assert BADGE.encode() not in phone.user


def test_an_answer_counts_once(box: TestBox, phone: Authenticator):
    answer = phone.get(question(box))
    passkeys.sign_in(box, answer, HERE, HALL)
    with pytest.raises(Unauthorised):
        passkeys.sign_in(box, answer, HERE, HALL)


def test_a_question_is_used_up_by_a_wrong_answer_too(box: TestBox, phone: Authenticator):
    asked = question(box)
    other_key = ec.derive_private_key(8, ec.SECP256R1())
    stranger = Authenticator(HALL.origin, credential=phone.credential, user=phone.user, key=other_key)
    with pytest.raises(Unauthorised):
        passkeys.sign_in(box, stranger.get(asked), HERE, HALL)
    with pytest.raises(Unauthorised):
        passkeys.sign_in(box, phone.get(asked), HERE, HALL)
    assert "passkey_failed" in audits(box)


@pytest.mark.parametrize("later", ["two minutes", "after a reboot"])
def test_a_question_is_good_for_two_minutes_of_this_boot(box: TestBox, phone: Authenticator, later: str):
    asked = question(box)
    if later == "two minutes":
        box.turn.advance(passkeys.CHALLENGE_LIFE_MS)
    else:
        box.turn.reboot()
    with pytest.raises(Unauthorised):
        passkeys.sign_in(box, phone.get(asked), HERE, HALL)


def test_another_address_gets_nothing(box: TestBox, phone: Authenticator):
    fake = Authenticator("https://hall.example.net", key=phone.key, user=phone.user)
    with pytest.raises(Unauthorised):
        enter(box, fake)
    with pytest.raises(Unauthorised):
        enter(box, phone, Party("other.example.org", HALL.origin))


def test_a_phone_that_did_not_ask_its_owner_does_not_count(box: TestBox, phone: Authenticator):
    phone.verifies = False
    with pytest.raises(Unauthorised):
        enter(box, phone)
    with pytest.raises(Invalid):
        register(box, Authenticator(HALL.origin, verifies=False, credential=b"another-one-0001"))


def test_a_copied_passkey_is_found_out_by_its_counter(box: TestBox, phone: Authenticator):
    enter(box, phone)
    enter(box, phone)
    phone.count = 0
    with pytest.raises(Unauthorised):
        enter(box, phone)


def test_with_an_untrusted_clock_badge_and_pin_are_the_way_in(box: TestBox, phone: Authenticator):
    asked = question(box)
    box.turn.trust(trusted=False)
    assert not box.look(passkeys.offered)
    with pytest.raises(Unauthorised, match="badge and PIN"):
        question(box)
    with pytest.raises(Unauthorised):
        passkeys.sign_in(box, phone.get(asked), HERE, HALL)
    assert staff.sign_in(box, BADGE, PIN, HERE).badge == BADGE


def test_attempts_are_limited_and_a_good_one_is_not_counted(box: TestBox, phone: Authenticator):
    for _ in range(passkeys.FAILURES_PER_ADDRESS + 1):
        enter(box, phone)
    for _ in range(passkeys.FAILURES_PER_ADDRESS):
        with pytest.raises(Unauthorised):
            passkeys.sign_in(box, "{}", HERE, HALL)
    with pytest.raises(LimitReached):
        passkeys.sign_in(box, phone.get(question(box)), HERE, HALL)
    assert audits(box).count("passkey_limited") == 1
    for _ in range(passkeys.ASKED_PER_ADDRESS):
        try:
            question(box)
        except LimitReached:
            break
    else:
        pytest.fail("questions are not limited")


@pytest.mark.parametrize(
    "answer", ["", "null", "[]", '{"response": 1}', '{"response": {"clientDataJSON": "&&"}}', "{" * 9000]
)
def test_nonsense_is_refused(box: TestBox, answer: str):
    with pytest.raises(Unauthorised):
        passkeys.sign_in(box, answer, HERE, HALL)
    with pytest.raises(Invalid):
        passkeys.register(box, BADGE, answer, "x", HALL)


def test_a_question_to_one_person_registers_nobody_else(box: TestBox):
    options = box.run(lambda unit: passkeys.begin_registration(unit, BADGE, HALL))
    with pytest.raises(Invalid):
        passkeys.register(box, "B2", Authenticator(HALL.origin).create(options), "x", HALL)
    assert box.look(passkeys.all_of_staff) == ()


def test_a_removed_passkey_ends_its_owners_sign_ins(box: TestBox, phone: Authenticator):
    token = enter(box, phone)
    (shown,) = box.look(passkeys.all_of_staff)
    box.run(lambda unit: passkeys.revoke(unit, shown.id, "B2"))
    with pytest.raises(Unauthorised):
        box.look(lambda unit: staff.authenticate(unit, token))
    with pytest.raises(Unauthorised):
        enter(box, phone)
    with pytest.raises(NotFound):
        box.run(lambda unit: passkeys.revoke(unit, shown.id, "B2"))


@pytest.mark.parametrize("change", ["gone", "a new PIN"])
def test_who_left_or_got_a_new_pin_registers_again(box: TestBox, phone: Authenticator, change: str):
    whole = example_catalogue(version=2)
    ada, *others = whole.staff
    new = () if change == "gone" else (msgspec.structs.replace(ada, pin_hash=hash_pin("9753", bytes(16))),)
    box.run(lambda unit: sync.apply_catalogue(unit, msgspec.structs.replace(whole, staff=(*new, *others))))
    assert box.look(passkeys.all_of_staff) == ()
    with pytest.raises(Unauthorised):
        enter(box, phone)


def test_a_person_has_so_many_passkeys_at_most(box: TestBox):
    for number in range(passkeys.MOST_EACH):
        register(box, Authenticator(HALL.origin, credential=f"credential-{number:05d}".encode()))
    with pytest.raises(Invalid):
        register(box, Authenticator(HALL.origin, credential=b"one-too-many-000"))
