"""The certificate that phones believe, from the cloud's files to those of a device, over real TLS; and all that must not come with it."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Response
from structlog.testing import capture_logs

from appliance import cli
from appliance.authority import Handing
from appliance.domain.clock import Now
from appliance.errands import enrol as errand
from appliance.services import certificates
from appliance.services import setting_up as files
from appliance.settings import read_settings
from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.enrolments import revoke
from mqtt_bridge.enrolling import ask_portal, load_or_make_key, request_for
from mqtt_bridge.protocol.portal_pairs import LARGEST_CHAIN, PortalPair
from tests.support.authority import Authority
from tests.support.enrolment import Card, EnrolmentCloud

NAME, OTHER = "tickets.example.org", "boxoffice.example.org"


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this machine is read."""
    monkeypatch.delenv("MARQUEE_CONFIG", raising=False)


@pytest.fixture
def public(tmp_path: Path) -> Authority:
    """Stands for an authority that phones know."""
    return Authority(tmp_path / "public")


@pytest.fixture
def cloud(tmp_path: Path, public: Authority) -> Iterator[EnrolmentCloud]:
    """It hands out a certificate for NAME."""
    cloud = EnrolmentCloud(tmp_path / "cloud-side")
    cloud.portal = handing(public)
    with cloud.serving():
        yield cloud
    cloud.database.close()


@pytest.fixture
def phones(tmp_path: Path) -> Path:
    """What systemd makes on a device."""
    folder = tmp_path / "phones"
    folder.mkdir(mode=0o750)
    return folder


@pytest.fixture
def card(tmp_path: Path, cloud: EnrolmentCloud, phones: Path) -> Card:
    card = Card(tmp_path, Now(cloud.now_ms, 0, "b", trusted=True), phones)
    card.boot(cloud.provisioning(cloud.register()))
    return card


def handing(public: Authority, name: str = NAME) -> Handing:
    """What hands out a fresh certificate of this name."""
    certificate, key = public.issue(name, name)
    return Handing(name, Path(certificate), Path(key))


def pair(public: Authority, name: str = NAME, **issued: dt.timedelta) -> PortalPair:
    certificate, key = public.issue(name, name, **issued)
    return PortalPair(name, Path(certificate).read_text("utf-8"), Path(key).read_text("utf-8"))


def look_again(card: Card) -> int:
    """What the timer does, long before the device's own certificate is due."""
    return errand.renew(read_settings(card.config, {}), lambda: card.now)


def named(card: Card) -> dict[str, str]:
    """What the device's settings say of it."""
    found: dict[str, str] = tomllib.loads((card.data / files.DEVICE).read_text("utf-8")).get("portal", {})
    return found


def test_it_comes_with_the_first_certificate_in_one_file_and_is_named_in_the_settings(
    card: Card, cloud: EnrolmentCloud, phones: Path, capsys
) -> None:
    assert card.enrolling.attempt() == 0
    [path] = phones.iterdir()
    assert path == phones / f"{NAME}.pem"
    assert path.stat().st_mode & 0o777 == 0o640
    given = cloud.portal("hall-1", cloud.now_ms)
    assert path.read_text("utf-8") == given.key + given.certificate
    assert named(card) == {"secure_url": f"https://{NAME}", "certificate": str(path)}
    assert certificates.judge(path, f"https://{NAME}", card.now, card.data).good
    assert look_again(card) == 0
    said = capsys.readouterr()
    assert said.out.count("is new") == 1, "what did not change is not said again"
    assert "next boot" not in said.out
    assert "PRIVATE" not in said.out + said.err


def test_a_star_in_the_name_is_each_devices_own_so_that_phones_keep_what_is_of_two_venues_apart(
    card: Card, cloud: EnrolmentCloud, public: Authority, phones: Path, tmp_path: Path
) -> None:
    certificate, key = public.issue("star", "*.tickets.example.org")
    cloud.portal = Handing("*.tickets.example.org", Path(certificate), Path(key))
    assert card.enrolling.attempt() == 0
    assert named(card)["secure_url"] == "https://hall-1.tickets.example.org"
    assert look_again(card) == 0
    assert [each.name for each in phones.iterdir()] == ["hall-1.tickets.example.org.pem"]
    (tmp_path / "yard").mkdir()
    other = Card(tmp_path / "yard", card.now, phones)
    other.boot(cloud.provisioning(cloud.register("yard_1.a"), "yard_1.a"))
    assert other.enrolling.attempt() == 0
    assert named(other)["secure_url"] == "https://yard-1-a.tickets.example.org"
    assert named(card)["secure_url"] == "https://hall-1.tickets.example.org"


def test_a_renewed_one_takes_its_place_at_the_next_look(
    card: Card, cloud: EnrolmentCloud, public: Authority, phones: Path, capsys
) -> None:
    card.enrolling.attempt()
    path, settings = phones / f"{NAME}.pem", (card.data / files.DEVICE).read_bytes()
    before = path.read_bytes()
    cloud.portal = handing(public)
    capsys.readouterr()
    assert look_again(card) == 0
    assert path.read_bytes() not in {before, b""}
    assert (card.data / files.DEVICE).read_bytes() == settings
    assert f"the certificate of {NAME}, which phones believe, is new" in capsys.readouterr().out


def test_another_name_is_written_down_for_the_next_boot_and_the_rest_of_the_settings_stays(
    card: Card, cloud: EnrolmentCloud, public: Authority, phones: Path, capsys
) -> None:
    card.enrolling.attempt()
    before = read_settings(card.config, {})
    cloud.portal = handing(public, OTHER)
    assert look_again(card) == 0
    assert f"at https://{OTHER} too, from the next boot on" in capsys.readouterr().out
    assert named(card) == {"secure_url": f"https://{OTHER}", "certificate": str(phones / f"{OTHER}.pem")}
    after = read_settings(card.config, {})
    assert (after.broker, after.hotspot, after.device) == (before.broker, before.hotspot, before.device)
    assert (phones / f"{NAME}.pem").exists(), "until that boot phones know the old name"


def test_a_device_that_enrolled_before_the_cloud_had_one_gets_it_with_a_later_look(
    card: Card, cloud: EnrolmentCloud, phones: Path
) -> None:
    has, cloud.portal = cloud.portal, lambda *_: None
    assert card.enrolling.attempt() == 0
    assert (list(phones.iterdir()), named(card)) == ([], {})
    assert look_again(card) == 0
    assert (list(phones.iterdir()), named(card)) == ([], {})
    cloud.portal = has
    assert look_again(card) == 0
    assert named(card)["secure_url"] == f"https://{NAME}"


def test_what_is_there_stays_when_the_cloud_has_none_any_more(
    card: Card, cloud: EnrolmentCloud, phones: Path, capsys
) -> None:
    card.enrolling.attempt()
    before, names = (phones / f"{NAME}.pem").read_bytes(), named(card)
    cloud.portal = lambda *_: None
    assert look_again(card) == 0
    assert ((phones / f"{NAME}.pem").read_bytes(), named(card)) == (before, names)
    assert capsys.readouterr().err == ""


BAD: dict[str, tuple[str, Callable[[PortalPair, PortalPair], PortalPair]]] = {
    "a path": ("no DNS name", lambda good, _: PortalPair("../tickets.example.org", good.certificate, good.key)),
    "capitals": ("no DNS name", lambda good, _: PortalPair("Tickets.example.org", good.certificate, good.key)),
    "one label": ("no DNS name", lambda good, _: PortalPair("localhost", good.certificate, good.key)),
    "an address": ("no DNS name", lambda good, _: PortalPair("127.0.0.1", good.certificate, good.key)),
    "another name": ("it is not for", lambda good, _: PortalPair(OTHER, good.certificate, good.key)),
    "another key": ("does not fit", lambda good, other: PortalPair(NAME, good.certificate, other.key)),
    "no certificate": ("no readable PEM", lambda good, _: PortalPair(NAME, good.key, good.key)),
    "no key": ("no readable PEM", lambda good, _: PortalPair(NAME, good.certificate, good.certificate)),
    "too large": ("too large", lambda good, _: PortalPair(NAME, good.certificate * LARGEST_CHAIN, good.key)),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_as_it_should_be_changes_nothing_and_costs_no_device_its_own_certificate(
    card: Card, cloud: EnrolmentCloud, public: Authority, phones: Path, capsys, kind: str
) -> None:
    told, spoil = BAD[kind]
    has, bad = cloud.portal, spoil(pair(public), pair(public, OTHER))
    if len(bad.certificate) > LARGEST_CHAIN:
        bad = PortalPair(bad.name, bad.certificate[: LARGEST_CHAIN + 1], bad.key)
    cloud.portal = lambda *_: bad
    assert card.enrolling.attempt() == 0
    assert card.enrolling.done()
    assert (list(phones.iterdir()), named(card)) == ([], {})
    said = capsys.readouterr().err
    assert told in said
    assert bad.key not in said
    cloud.portal = has
    look_again(card)
    before, names = (phones / f"{NAME}.pem").read_bytes(), named(card)
    cloud.portal = lambda *_: bad
    assert look_again(card) == 0
    assert ((phones / f"{NAME}.pem").read_bytes(), named(card)) == (before, names)
    assert [each.name for each in phones.iterdir()] == [f"{NAME}.pem"]


def test_one_that_has_ended_is_not_taken_even_by_a_device_without_a_clock(
    card: Card, cloud: EnrolmentCloud, public: Authority, phones: Path, capsys
) -> None:
    """It knows when its clock was last right."""
    certificates.remember(card.data, card.now)
    cloud.portal = lambda *_: pair(public, ends_in=dt.timedelta(hours=-1))
    card.now = Now(0, 0, "b", trusted=False)
    assert card.enrolling.attempt() == 0
    assert list(phones.iterdir()) == []
    assert "it has expired" in capsys.readouterr().err


@pytest.mark.parametrize("odd", [7, "x", [], {"name": NAME}, {"name": NAME, "certificate": 1, "key": ""}, None])
def test_an_answer_of_another_kind_costs_no_device_its_own_certificate(
    card: Card, cloud: EnrolmentCloud, phones: Path, odd: object, capsys
) -> None:
    app = cloud.app()
    certificates_of, portal_of = app.view_functions["certificates"], app.view_functions["portal"]

    def first() -> Response:
        answer = cast(Response, certificates_of())
        answer.set_data(json.dumps(json.loads(answer.get_data()) | {"portal": odd}))
        return answer

    app.view_functions |= {"certificates": first, "portal": lambda: (portal_of(), json.dumps(odd))[1]}
    with cloud.serving(app):
        card.boot(cloud.provisioning(cloud.register("hall-2"), "hall-2", replace=True))
        assert card.enrolling.attempt() == 0
        assert card.enrolling.done()
        assert look_again(card) == 0
    assert "not what was asked for" in capsys.readouterr().err
    assert list(phones.iterdir()) == []


def test_a_cloud_that_knows_nothing_of_it_is_no_trouble(
    card: Card, cloud: EnrolmentCloud, phones: Path, capsys
) -> None:
    """It answers with the certificate alone, and has no other address."""
    cloud.portal = lambda *_: None
    app = cloud.app()
    app.view_functions["portal"] = lambda: ("", 404)
    with cloud.serving(app):
        card.boot(cloud.provisioning(cloud.register("hall-2"), "hall-2", replace=True))
        assert card.enrolling.attempt() == 0
        assert look_again(card) == 0
    assert list(phones.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_a_device_whose_proxy_has_a_certificate_of_its_own_takes_none(tmp_path: Path, cloud: EnrolmentCloud) -> None:
    """And asks for none: a device of before does the same."""
    (tmp_path / "hall-2").mkdir()
    card = Card(tmp_path / "hall-2", Now(cloud.now_ms, 0, "b", trusted=True))
    card.boot(cloud.provisioning(cloud.register("hall-2"), "hall-2"))
    assert card.enrolling.attempt() == 0
    cloud.portal = lambda *_: pytest.fail("it was asked for")
    assert look_again(card) == 0
    assert named(card) == {}


def test_a_place_that_cannot_be_written_costs_no_device_its_own_certificate(
    card: Card, cloud: EnrolmentCloud, phones: Path, capsys
) -> None:
    phones.rmdir()
    assert card.enrolling.attempt() == 0
    assert card.enrolling.done()
    assert named(card) == {}
    assert look_again(card) == 0
    assert capsys.readouterr().err.count("the certificate for phones that came is not used") == 2


def test_without_the_cloud_there_is_no_news_and_that_is_no_failure(
    card: Card, cloud: EnrolmentCloud, tmp_path: Path, capsys
) -> None:
    card.enrolling.attempt()
    before = named(card)
    gone = (card.data / files.DEVICE).read_text("utf-8").replace(cloud.url, "https://127.0.0.1:1")
    (card.data / files.DEVICE).write_text(gone, "utf-8")
    assert look_again(card) == 0
    assert "there is no news of the certificate for phones" in capsys.readouterr().err
    assert named(card) == before


def test_settings_that_somebody_wrote_by_hand_are_kept_or_left_alone(card: Card, cloud: EnrolmentCloud, capsys) -> None:
    has, cloud.portal = cloud.portal, lambda *_: None
    card.enrolling.attempt()
    cloud.portal = has
    path = card.data / files.DEVICE
    enrolled = path.read_text("utf-8")
    path.write_text(
        f'{enrolled}\n[portal]\nstreams = 2\nsecure_url = "https://old.example.org"\n\n[log]\nlevel = "debug"\n'
    )
    assert look_again(card) == 0
    settings = read_settings(card.config, {})
    assert (settings.portal.secure_url, settings.portal.streams, settings.log.level) == (f"https://{NAME}", 2, "debug")
    odd = f"portal.streams = 2\n{enrolled}"
    path.write_text(odd)
    assert look_again(card) == 0
    assert path.read_text("utf-8") == odd
    assert "does not name the certificate for phones" in capsys.readouterr().err


def test_only_the_key_that_speaks_for_a_device_is_handed_it(cloud: EnrolmentCloud, tmp_path: Path) -> None:
    """The same proof and the same refusals as for a renewal; who is refused learns nothing."""
    client = cloud.app().test_client()
    secret = cloud.portal("hall-1", cloud.now_ms).key.splitlines()[1]
    requests = {}
    for name in ("hall-1", "hall-2", "hall-3", "hall-4"):
        requests[name] = request_for(load_or_make_key(tmp_path / name), name)
        client.post("/v1/certificates", json={"csr": requests[name], "token": cloud.register(name)})
    losses.seal_device(cloud.database, "hall-2", "op", "", cloud.now_ms, stolen=True, log=None)
    losses.seal_device(cloud.database, "hall-3", "op", "", cloud.now_ms, stolen=False, log=None)
    revoke(cloud.database, "hall-4", "op", cloud.now_ms)
    stranger = ec.generate_private_key(ec.SECP256R1())
    for body, status, reason in (
        ({"csr": requests["hall-2"]}, 403, "sealed"),
        ({"csr": requests["hall-3"]}, 403, "sealed"),
        ({"csr": requests["hall-4"]}, 403, "unknown-key"),
        ({"csr": request_for(stranger, "hall-1")}, 403, "unknown-key"),
        ({"csr": request_for(stranger, "hall-9")}, 403, "unknown-key"),
        ({"csr": "x"}, 422, None),
        ({"csr": requests["hall-1"], "token": "t"}, 422, None),
        ({}, 422, None),
    ):
        answer = client.post("/v1/portal", json=body)
        assert (answer.status_code, answer.get_json().get("reason")) == (status, reason)
        assert secret not in answer.text
    assert client.get("/v1/portal").status_code == 405
    given = client.post("/v1/portal", json={"csr": requests["hall-1"]})
    assert (given.status_code, given.headers["Cache-Control"]) == (200, "no-store")
    assert set(given.get_json()) == {"name", "certificate", "key"}
    assert secret in given.text


def test_a_cloud_that_has_none_says_so_without_a_word_more(cloud: EnrolmentCloud, tmp_path: Path) -> None:
    """What a device of before is told about is what it was told about then."""
    cloud.portal = lambda *_: None
    client, key = cloud.app().test_client(), load_or_make_key(tmp_path / "key")
    csr = request_for(key, "hall-1")
    first = client.post("/v1/certificates", json={"csr": csr, "token": cloud.register()})
    assert set(first.get_json()) == {"certificate", "ca", "broker_url", "cloud_key"}
    answer = client.post("/v1/portal", json={"csr": csr})
    assert (answer.status_code, answer.data) == (204, b"")
    assert ask_portal(cloud.url, cloud.authority.pem, csr, None) is None


def test_the_authority_judges_before_it_hands_out_and_says_once_why_it_does_not(
    public: Authority, cloud: EnrolmentCloud
) -> None:
    """Files are read when asked: what is put right is handed out again, without a restart."""
    made, now_ms = handing(public), cloud.now_ms
    good, fits = made.certificate.read_bytes(), made.key.read_bytes()
    other = Path(public.issue(OTHER, OTHER)[1]).read_bytes()
    with capture_logs() as said:
        assert made("hall-1", now_ms).name == NAME
        for spoilt, content in (
            (made.key, other),
            (made.key, b"x"),
            (made.certificate, fits),
            (made.certificate, None),
        ):
            kept = spoilt.read_bytes()
            if content is None:
                spoilt.unlink()
            else:
                spoilt.write_bytes(content)
            assert [made("hall-1", now_ms) for _ in range(3)] == [None] * 3
            spoilt.write_bytes(kept)
        assert made("hall-1", now_ms + 13 * 3_600_000) is None
        assert made("hall-1", now_ms) is not None
        assert made("hall-1", now_ms) is not None
    words = [each.get("why", each["event"]) for each in said]
    assert words[0] == words[-1] == "portal.handed_out"
    assert [word.rpartition(": ")[2] if "phones" in word else word for word in words[1:-1]] == [
        "the key does not fit the certificate",
        "the key is no readable PEM without a passphrase",
        "the certificate is no readable PEM",
        f"{made.certificate} cannot be read (No such file or directory)",
        "it has expired",
    ]
    assert made.certificate.read_bytes() == good
    with capture_logs() as said_to_many:
        several = Handing("*.example.com", made.certificate, made.key)
        assert [several(device, now_ms) for device in ("hall-1", "hall-2") * 3] == [None] * 6
    assert len(said_to_many) == 2
    assert not any(line.decode() in repr(said) for line in (*fits.splitlines()[1:-1], *other.splitlines()[1:-1]))
    assert "PRIVATE" not in repr(made("hall-1", now_ms))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ('portal_name = "tickets.example.org"', ("portal_certificate", "portal_key")),
        ('portal_name = "tickets.example.org"\nportal_key = "/k"', ("portal_certificate",)),
        ('portal_certificate = "/c"\nportal_key = "/k"', ("portal_name",)),
        ('portal_name = "localhost"\nportal_certificate = "/c"\nportal_key = "/k"', ("portal_name",)),
    ],
)
def test_half_of_it_stops_the_authority_with_the_key_and_the_fix(tmp_path: Path, capsys, given: str, missing) -> None:
    config = tmp_path / "cloud.toml"
    config.write_text(f'[device]\ndata = "{tmp_path}"\n[authority]\nurl = "https://127.0.0.1:8443"\n{given}\n', "utf-8")
    assert cli.main(["--config", str(config), "authority"]) == 1
    said = capsys.readouterr().err
    assert [key for key in ("portal_name", "portal_certificate", "portal_key") if f"authority.{key}: " in said] == [
        *missing
    ]
    assert "write " in said
