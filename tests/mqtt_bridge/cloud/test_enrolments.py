"""Who may have a certificate: a token works once, for one key, and what was revoked is on the list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.authority import LIST_LIFE, CsrRefused, read_csr
from mqtt_bridge.cloud.enrolments import (
    DAY_MS,
    EnrolmentRefused,
    check_known,
    enrol,
    make_token,
    recall,
    renew,
    revoke,
    revoked,
    token_hash,
)
from mqtt_bridge.cloud.store import DirectoryRefused, alarms, open_cloud, register_device
from mqtt_bridge.database import Database
from mqtt_bridge.enrolling import request_for
from tests.support.enrolment import EnrolmentCloud

NOW = 1_800_000_000_000
END = NOW + 90 * DAY_MS


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_cloud(tmp_path / "cloud.db")
    register_device(database, "hall-1", "hall", NOW)
    yield database
    database.close()


def reason(run) -> str:
    with pytest.raises(EnrolmentRefused) as caught:
        run()
    return caught.value.reason


def listed(database: Database) -> list[str]:
    with database.read() as db:
        return [each.kind for each in alarms(db)]


def test_a_token_works_once_and_again_only_for_the_same_key(database: Database) -> None:
    """The second request is that of a device whose first answer got lost; another key is somebody with a copy."""
    token = make_token(database, "hall-1", NOW)
    assert enrol(database, token, "aa", "01", END, NOW).device == "hall-1"
    assert enrol(database, token, "aa", "02", END, NOW + 40 * DAY_MS).device == "hall-1"
    assert listed(database) == []
    assert reason(lambda: enrol(database, token, "bb", "03", END, NOW)) == "used-token"
    assert listed(database) == ["token-reused"]
    assert revoked(database, NOW) == ()


def test_no_token_is_kept_in_clear(database: Database) -> None:
    """A copy of the database enrols nobody."""
    token = make_token(database, "hall-1", NOW)
    with database.read() as db:
        rows = db.exec_driver_sql("SELECT * FROM enrolment").all()
        audit = db.exec_driver_sql("SELECT * FROM audit").all()
    assert rows[0][0] == token_hash(token)
    assert token not in repr((rows, audit))


def test_tokens_end_and_a_newer_one_ends_the_one_before(database: Database) -> None:
    """Each refusal has a word that the device turns into a sentence."""
    first = make_token(database, "hall-1", NOW)
    assert reason(lambda: enrol(database, first, "aa", "01", END, NOW + 30 * DAY_MS)) == "expired-token"
    with pytest.raises(DirectoryRefused, match="works until 2027-02-14"):
        make_token(database, "hall-1", NOW)
    second = make_token(database, "hall-1", NOW, renew=True)
    assert reason(lambda: enrol(database, first, "aa", "01", END, NOW)) == "void-token"
    assert reason(lambda: enrol(database, "no such token", "aa", "01", END, NOW)) == "unknown-token"
    enrol(database, second, "aa", "01", END, NOW)
    with pytest.raises(DirectoryRefused, match="used its token on 2027-01-15"):
        make_token(database, "hall-1", NOW)


def test_renewal_needs_the_pinned_key_and_no_token(database: Database) -> None:
    """Whoever has another key is a stranger, however the request calls itself."""
    assert reason(lambda: renew(database, "hall-1", "aa", "09", END, NOW)) == "unknown-key"
    enrol(database, make_token(database, "hall-1", NOW), "aa", "01", END, NOW)
    assert renew(database, "hall-1", "aa", "02", END, NOW).serial == "02"
    assert reason(lambda: renew(database, "hall-1", "bb", "03", END, NOW)) == "unknown-key"
    assert reason(lambda: renew(database, "yard-1", "aa", "03", END, NOW)) == "unknown-key"


def test_who_would_be_given_the_next_certificate_is_known_and_nobody_else(database: Database) -> None:
    """What is handed out beside certificates goes to the same devices; asking changes no row."""
    assert reason(lambda: check_known(database, "hall-1", "aa")) == "unknown-key"
    token = make_token(database, "hall-1", NOW)
    assert reason(lambda: check_known(database, "hall-1", "aa")) == "unknown-key", "a token is no key yet"
    enrol(database, token, "aa", "01", END, NOW)
    check_known(database, "hall-1", "aa")
    assert reason(lambda: check_known(database, "hall-1", "bb")) == "unknown-key"
    assert reason(lambda: check_known(database, "yard-1", "aa")) == "unknown-key"
    losses.seal_device(database, "hall-1", "op", "", NOW, stolen=False, log=None)
    assert reason(lambda: check_known(database, "hall-1", "aa")) == "sealed"


def test_another_card_takes_the_place_of_the_one_before(database: Database) -> None:
    """With a new token: what the old card has is revoked as soon as the new one came, not before."""
    enrol(database, make_token(database, "hall-1", NOW), "aa", "01", END, NOW)
    token = make_token(database, "hall-1", NOW, renew=True)
    assert renew(database, "hall-1", "aa", "02", END, NOW).serial == "02"
    assert revoked(database, NOW) == ()
    enrol(database, token, "bb", "03", END, NOW + 5)
    assert revoked(database, NOW) == (("01", NOW + 5), ("02", NOW + 5))
    assert reason(lambda: renew(database, "hall-1", "aa", "04", END, NOW)) == "unknown-key"
    assert revoked(database, END) == (), "what has ended needs no revocation"


def test_a_sealed_device_gets_nothing_more_and_a_stolen_one_is_revoked(database: Database) -> None:
    """One that was sealed otherwise may come back to tell what it sold, once it has been heard of."""
    for name in ("yard-1", "yard-2"):
        register_device(database, name, "yard", NOW)
        enrol(database, make_token(database, name, NOW), name, name.encode().hex(), END, NOW)
        with database.write() as db:
            db.exec_driver_sql(
                "INSERT INTO device_key (kid, device, public, retired, revoked, added_at_ms) VALUES (?, ?, ?, 0, 0, 0)",
                (name, name, "00"),
            )
        losses.seal_device(database, name, "op", "", NOW, stolen=name == "yard-2", log=None)
        assert reason(lambda name=name: renew(database, name, name, "05", END, NOW)) == "sealed"
    assert revoked(database, NOW + 7) == ((b"yard-2".hex(), NOW + 7),)
    assert revoked(database, NOW + 9) == ((b"yard-2".hex(), NOW + 7),), "and it stays as it was"
    with pytest.raises(DirectoryRefused, match="sealed"):
        make_token(database, "yard-1", NOW, renew=True)


def test_an_operator_revokes_by_name(database: Database) -> None:
    """Certificates, key and tokens end together; a new token begins anew."""
    enrol(database, make_token(database, "hall-1", NOW), "aa", "01", END, NOW)
    assert revoke(database, "hall-1", "op", NOW + 1) == 1
    assert revoked(database, NOW) == (("01", NOW + 1),)
    assert reason(lambda: renew(database, "hall-1", "aa", "02", END, NOW)) == "unknown-key"
    assert enrol(database, make_token(database, "hall-1", NOW), "aa", "03", END, NOW).serial == "03"


steps = st.lists(
    st.one_of(
        st.tuples(st.just("token"), st.just("")),
        st.tuples(st.sampled_from(["enrol", "old token", "renew"]), st.sampled_from(["aa", "bb", "cc"])),
        st.tuples(st.sampled_from(["revoke", "expire"]), st.just("")),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_happens_one_key_speaks_for_a_device(database: Database, steps) -> None:
    """Of all keys that ever asked, only the one pinned last has certificates that are not revoked."""
    with database.read() as db:
        device = f"hall-{db.exec_driver_sql('SELECT count(*) FROM device').scalar_one() + 1}"
    register_device(database, device, "hall", NOW)
    tokens: list[str] = []
    pinned, now, held = "", NOW, dict[str, str]()
    for number, (step, key) in enumerate(steps):
        serial = f"{device}{number}".encode().hex()
        try:
            if step == "token":
                tokens.append(make_token(database, device, now, renew=True))
            elif step == "revoke":
                revoke(database, device, "op", now)
                pinned = ""
            elif step == "expire":
                now += 31 * DAY_MS
            elif step == "renew":
                renew(database, device, key, serial, NOW + 9000 * DAY_MS, now)
                assert key == pinned
                held[serial] = key
            elif tokens:
                token = tokens[-1] if step == "enrol" else tokens[0]
                enrol(database, token, key, serial, NOW + 9000 * DAY_MS, now)
                pinned = key
                held[serial] = key
        except EnrolmentRefused:
            pass
        gone = {each for each, _ in revoked(database, now)}
        assert {key for serial, key in held.items() if serial not in gone} <= {pinned}


def test_what_a_restored_database_forgot_is_written_down_again(tmp_path: Path, database: Database) -> None:
    """Its tokens are used again, its keys pinned, its certificates known, hence revocable."""
    token = make_token(database, "hall-1", NOW)
    first = enrol(database, token, "aa", "01", END, NOW)
    second = renew(database, "hall-1", "aa", "02", END, NOW + 1)
    restored = open_cloud(tmp_path / "restored.db")
    register_device(restored, "hall-1", "hall", NOW)
    assert recall(restored, (first, second)) == 2
    assert recall(restored, (first, second)) == 0
    assert reason(lambda: enrol(restored, token, "bb", "03", END, NOW)) == "used-token"
    assert renew(restored, "hall-1", "aa", "04", END, NOW).device == "hall-1"
    assert revoke(restored, "hall-1", "op", NOW) == 3
    restored.close()


def test_a_request_proves_its_key_and_is_small_and_of_one_kind() -> None:
    """Whatever is sent is a refusal and never another error."""
    key = ec.generate_private_key(ec.SECP256R1())
    good = request_for(key, "hall-1")
    assert read_csr(good).name == "hall-1"
    body = good.splitlines()
    forged = "\n".join([*body[:-2], body[-2][:-12] + "AAAAAAAAAA" + body[-2][-2:], body[-1]])
    other = request_for(ec.generate_private_key(ec.SECP384R1()), "hall-1")
    for bad in ("", "x", good.replace("REQUEST", "CERTIFICATE"), good * 30, forged, other, good[: len(good) // 2]):
        with pytest.raises(CsrRefused):
            read_csr(bad)


def test_the_revocation_list_is_made_anew_before_it_runs_out(tmp_path: Path) -> None:
    """Mosquitto lets nobody in on a list that has run out; one that says the same for less than a day stays as it is."""
    cloud = EnrolmentCloud(tmp_path)
    path = cloud.folder / "broker" / "revoked.pem"

    def numbers() -> tuple[dt.datetime, int]:
        found = x509.load_pem_x509_crl(path.read_bytes())
        public = cloud.authority.certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert found.is_signature_valid(public)
        return found.next_update_utc, len(list(found))

    assert numbers() == (cloud.now + LIST_LIFE, 0)
    assert cloud.look() == []
    began = cloud.now
    enrol(cloud.database, cloud.register(), "aa", "1f", cloud.now_ms + DAY_MS, cloud.now_ms)
    revoke(cloud.database, "hall-1", "op", cloud.now_ms)
    assert cloud.look() == ["revocation list written, with 1 certificates"]
    assert numbers() == (began + LIST_LIFE, 1)
    cloud.now_ms += DAY_MS
    assert cloud.look() == ["revocation list written, with 0 certificates"]
    assert numbers() == (began + dt.timedelta(days=1) + LIST_LIFE, 0)
    cloud.database.close()


def test_its_own_certificates_are_renewed_in_their_last_third_with_the_same_key(tmp_path: Path) -> None:
    """Nobody has to think of it, and who reads certificate and key in between finds a pair."""
    cloud = EnrolmentCloud(tmp_path)
    files = [cloud.folder / each for each in ("server.pem", "broker/broker.pem", "client/reconciler.pem")]
    keys = [each.with_suffix(".key").read_bytes() for each in files]
    before = [each.read_bytes() for each in files]
    cloud.now_ms += 59 * DAY_MS
    cloud.look()
    assert [each.read_bytes() for each in files] == before
    cloud.now_ms += 2 * DAY_MS
    assert sum(each.endswith("renewed") for each in cloud.look()) == 3
    assert [each.with_suffix(".key").read_bytes() for each in files] == keys
    for path in files:
        assert x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc == cloud.now + dt.timedelta(
            days=90
        )
        assert path.with_suffix(".key").stat().st_mode & 0o777 == 0o600
    cloud.database.close()
