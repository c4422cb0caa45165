"""What the portal's nginx keeps, hides, bounds and tells, before pools that only say what they were asked."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.web import seeing
from mqtt_bridge import durable
from tests.support.authority import Authority
from tests.support.phones import request_at
from tests.support.ports import free_port
from tests.support.proxy import NAME, Asked, Proxy, datagrams, running, shared
from tests.support.roles import render

pytestmark = pytest.mark.system
TOKEN = "c2VjcmV0LXRva2VuLW9mLW9uZS1waG9uZQ"
# Slow enough that a crowd comes while the page is being made.
MAKING_S = 0.15
# Longer than anybody likes to wait, as on a processor with too much to do.
STRUGGLING_S = 7
# nginx counts in whole seconds: a page that may be kept for one is fresh for two at most.
OLD_S = 2.1


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    with running(folder, portal_gate="/internal/token", portal_seen_socket=str(folder / "seen.sock")) as proxy:
        yield proxy


@pytest.fixture
def proxy(started: Proxy) -> Proxy:
    """The proxy with its pools as at the beginning; what it keeps is too old to be served after ``_expire``."""
    for pool in (started.guests, started.staff):
        pool.asked.clear()
        pool.answer = lambda _asked: shared(b"page")
        pool.stream = None
    return started


def slowly(asked: Asked) -> tuple[int, dict[str, str], bytes]:
    time.sleep(MAKING_S)
    return shared(b"made")


def test_a_crowd_that_comes_at_once_costs_one_page(proxy: Proxy) -> None:
    proxy.guests.answer = slowly
    with ThreadPoolExecutor(40) as crowd:
        found = list(crowd.map(lambda n: proxy("GET", "/events/rush", source=f"127.0.0.{n % 5 + 10}"), range(120)))
    assert {answer.status for answer in found} == {200}
    buckets = {asked.headers["x-marquee-variant"] for asked in proxy.guests.asked}
    assert len(proxy.guests.asked) <= 2 * len(buckets), "once for each bucket, and once more where a second went by"
    keys = [re.search(rb'value="([0-9a-f]{32})"', answer.body)[1] for answer in found]
    assert len(set(keys)) == len(keys), "everybody's form is their own"


@pytest.mark.slow
def test_a_portal_that_struggles_is_not_asked_again_by_everybody_who_waits(proxy: Proxy) -> None:
    def struggling(_: Asked) -> tuple[int, dict[str, str], bytes]:
        time.sleep(STRUGGLING_S)
        return shared(b"made at last")

    proxy.guests.answer = struggling
    with ThreadPoolExecutor(30) as crowd:
        found = list(crowd.map(lambda n: proxy("GET", "/events/slow", source=f"127.0.0.{n % 5 + 10}"), range(30)))
    assert {answer.status for answer in found} == {200}
    buckets = {asked.headers["x-marquee-variant"] for asked in proxy.guests.asked}
    assert len(proxy.guests.asked) == len(buckets)


def test_nobody_waits_for_a_page_that_is_a_little_old_and_it_is_made_anew_behind_them(proxy: Proxy) -> None:
    proxy("GET", "/events/old")
    time.sleep(OLD_S)
    proxy.guests.answer = slowly
    began = time.monotonic()
    assert b"page" in proxy("GET", "/events/old").body
    assert time.monotonic() - began < MAKING_S
    time.sleep(2 * MAKING_S)
    assert b"made" in proxy("GET", "/events/old").body
    assert len(proxy.guests.asked) == 2


def test_pages_outlive_a_portal_that_restarts_and_other_requests_are_told_to_wait(proxy: Proxy) -> None:
    proxy("GET", "/events/standing")
    proxy.stop_guests()
    try:
        time.sleep(OLD_S)
        assert proxy("GET", "/events/standing").status == 200
        waiting = proxy("POST", "/holds", b"key=1", Accept_Language="de")
        assert waiting.status == 502
        assert (waiting.headers["cache-control"], waiting.headers["retry-after"]) == ("no-store", "3")
        assert "Einen Moment bitte" in waiting.body.decode()
        probe = proxy("GET", "/generate_204", Host="connectivitycheck.gstatic.com")
        assert (probe.status, probe.headers["location"]) == (302, f"http://{NAME}/welcome")
    finally:
        proxy.start_guests()
    assert proxy("POST", "/holds", b"key=1").status == 200


def test_what_says_so_itself_is_never_kept_nor_are_refusals(proxy: Proxy) -> None:
    proxy.guests.answer = lambda _asked: shared(b"mine", **{"Cache-Control": "private, no-cache"})
    assert [proxy("GET", "/events/mine").status for _ in range(3)] == [200] * 3
    assert len(proxy.guests.asked) == 3
    proxy.guests.answer = lambda _asked: (404, {"Cache-Control": "no-store"}, b"none")
    assert [proxy("GET", "/events/none").status for _ in range(3)] == [404] * 3
    assert len(proxy.guests.asked) == 6


def test_of_a_shared_page_python_is_told_what_the_key_has_and_nothing_else(proxy: Proxy) -> None:
    evil = {
        "Cookie": "staff=1",
        "Authorization": "Bearer x",
        "X_Forwarded_Host": "evil",
        "Range": "bytes=0-1",
        "X_Evil": "1",
    }
    path = "/events/told?q=caf%C3%A9+bar&evil=1&AT=x&lang=de&when=tonight&q=second&page=%0d%0aX-Evil:1"
    proxy("GET", path, b"body", Client_Token="x", Accept_Language="fr", If_None_Match='"x"', **evil)
    [asked] = proxy.guests.asked
    assert asked.path == "/events/told?lang=de&at=x&q=caf%C3%A9+bar&when=tonight&page=%0d%0aX-Evil:1&"
    assert set(asked.headers) == {
        "host",
        "x-forwarded-host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-marquee-language",
        "x-marquee-variant",
    }
    assert (asked.headers["host"], asked.headers["x-marquee-language"], asked.body) == (NAME, "de", b"")
    assert asked.headers["x-marquee-variant"] in set("012345")


def test_other_requests_arrive_whole_with_the_proxys_word_about_who_asks(proxy: Proxy) -> None:
    forged = {
        "X_Forwarded_For": "127.0.0.1",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Prefix": "/evil",
        "Forwarded": "for=127.0.0.1",
        "X_Real_IP": "127.0.0.1",
        "X_Original_URI": "/staff/",
        "X_Marquee_Language": "xx",
        "X_Marquee_Variant": "9",
    }
    proxy("POST", f"/holds/{TOKEN}/confirm?lang=de", b"name=A", source="127.0.0.9", Idempotency_Key="k", **forged)
    [asked] = proxy.guests.asked
    assert (asked.method, asked.path, asked.body) == ("POST", f"/holds/{TOKEN}/confirm?lang=de", b"name=A")
    assert asked.headers["idempotency-key"] == "k"
    assert asked.headers["x-forwarded-for"] == "127.0.0.9"
    assert asked.headers["x-forwarded-host"] == asked.headers["host"] == NAME
    assert asked.headers["x-forwarded-proto"] == "http"
    assert asked.headers["x-marquee-language"] == "de"
    for name in ("x-forwarded-prefix", "forwarded", "x-real-ip", "x-original-uri"):
        assert name not in asked.headers


def test_a_page_found_unchanged_is_not_sent_again(proxy: Proxy) -> None:
    tag = proxy("GET", "/events/tag").headers["etag"]
    again = proxy("GET", "/events/tag", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")


def test_pages_are_compressed_except_those_with_a_sign_in(proxy: Proxy) -> None:
    for pool in (proxy.guests, proxy.staff):
        pool.answer = lambda _asked: shared(b"x" * 2000, **{"Cache-Control": "no-store"})
    for path in ("/events/zip", f"/tickets/{TOKEN}"):
        assert proxy("GET", path, Accept_Encoding="gzip").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in proxy("GET", "/staff/sign-in", Accept_Encoding="gzip").headers


def test_a_strict_transport_header_never_leaves(proxy: Proxy) -> None:
    proxy.guests.answer = lambda _asked: shared(b"x", **{"Strict-Transport-Security": "max-age=1"})
    for path in ("/events/hsts", "/welcome"):
        assert "strict-transport-security" not in proxy("GET", path).headers


def test_answers_of_the_proxys_own_are_guarded_like_pages_and_pages_say_it_once(proxy: Proxy) -> None:
    """What it refuses, and what it leads on; a page keeps what Python said."""
    own = [
        proxy("GET", "/metrics"),
        proxy("TRACE", "/"),
        proxy("DELETE", "/events/river"),
        proxy("POST", "/holds", b"x" * 70_000),
        proxy("GET", "/", Host="evil.example"),
    ]
    assert [answer.status for answer in own] == [404, 405, 403, 413, 302]
    for answer in own:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    proxy.guests.answer = lambda _asked: shared(b"said", **{"Content-Security-Policy": "default-src 'self'"})
    for path in ("/events/said", "/events/said", "/static/said.css", "/static/said.css", f"/holds/{TOKEN}"):
        answer = proxy("GET", path)
        assert answer.headers["content-security-policy"] == "default-src 'self'", path


def test_staff_are_asked_for_at_the_gate_and_only_then_in_their_pool(proxy: Proxy) -> None:
    def gate(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        known = asked.headers.get("cookie") == "staff=good"
        return (204 if known else 401, {}, b"") if asked.path == "/internal/token" else shared(b"door")

    proxy.staff.answer = gate
    stranger = proxy("GET", "/staff/orders?code=x", X_Original_URI="/staff/sign-in")
    assert (stranger.status, stranger.headers["location"]) == (303, "/staff/sign-in")
    [asked] = proxy.staff.asked
    assert (asked.headers["x-original-uri"], asked.headers["x-original-method"]) == ("/staff/orders?code=x", "GET")
    assert proxy("GET", "/staff/sign-in").status == 200
    assert proxy("POST", "/staff/orders", b"x=1", Cookie="staff=good").status == 200
    assert proxy("POST", "/api/v1/check-ins", b"{}").status == 200, "the API knows its bearers itself"
    assert proxy("GET", "/internal/token").status == proxy("GET", "/-/gate").status == 404
    assert proxy.guests.asked == []


def test_what_happens_at_the_door_arrives_as_it_happens(proxy: Proxy) -> None:
    go_on = threading.Event()

    def stream() -> Iterator[bytes]:
        yield b"data: one\n\n"
        go_on.wait(5)
        yield b"data: two\n\n"

    proxy.staff.stream = stream
    proxy.staff.answer = lambda _asked: (204, {}, b"")
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, 5)
    try:
        client.request("GET", "/staff/live/events", headers={"Host": NAME})
        answer = client.getresponse()
        assert answer.read1(100) == b"data: one\n\n"
        go_on.set()
        assert answer.read1(100) == b"data: two\n\n"
    finally:
        go_on.set()
        client.close()


def test_one_phone_that_asks_all_the_time_is_slowed_down_and_others_are_not(proxy: Proxy) -> None:
    with ThreadPoolExecutor(20) as fingers:
        found = list(fingers.map(lambda _n: proxy("GET", "/welcome", source="127.0.0.66").status, range(150)))
    assert found.count(200) >= 40
    assert found.count(429) >= 50
    assert proxy("GET", "/welcome", source="127.0.0.67").status == 200


def test_a_body_larger_than_a_form_is_refused_before_it_is_read(proxy: Proxy) -> None:
    assert proxy("POST", "/holds", b"x" * 65_537).status == 413
    assert proxy("POST", "/holds", b"x" * 65_536).status == 200
    assert len(proxy.guests.asked) == 1


def test_the_bridge_hears_of_every_page_that_was_shown_and_of_nothing_else(proxy: Proxy) -> None:
    wire, arrived = datagrams(proxy.folder / "seen.sock")
    try:
        for _ in range(3):
            proxy("GET", "/events/river?lang=de&at=x", source="127.0.0.20")
        tag = proxy("GET", "/events/river", source="127.0.0.21").headers["etag"]
        proxy("GET", "/events/river", source="127.0.0.21", If_None_Match=tag)
        proxy("HEAD", "/events/river")
        proxy("GET", f"/tickets/{TOKEN}")
        proxy.guests.answer = lambda _asked: (404, {}, b"")
        proxy("GET", "/events/none")
        found = arrived()
    finally:
        wire.close()
        (proxy.folder / "seen.sock").unlink()
    assert [(each["address"], each["path"], each["language"]) for each in found] == [
        *[("127.0.0.20", "/events/river", "de")] * 3,
        *[("127.0.0.21", "/events/river", "en")] * 2,
    ]
    assert all(each["variant"] in set("012345") for each in found)
    known = seeing.parsed(b"<190>Nov 25 20:00:00 seen: " + json.dumps(found[0]).encode())
    assert known == seeing.Seen("127.0.0.20", "/events/river", found[0]["variant"]), "as the bridge reads it"


def test_phones_spread_over_the_buckets_and_stay_in_theirs(proxy: Proxy) -> None:
    for _ in range(2):
        for number in range(60):
            proxy("GET", "/welcome", source=f"127.0.1.{number + 1}")
    by_phone: dict[str, set[str]] = {}
    for asked in proxy.guests.asked:
        by_phone.setdefault(asked.headers["x-forwarded-for"], set()).add(asked.headers["x-marquee-variant"])
    assert all(len(buckets) == 1 for buckets in by_phone.values())
    assert set.union(*by_phone.values()) == set("012345")


def test_neither_logs_nor_kept_pages_hold_a_token_or_an_address_of_a_phone(proxy: Proxy) -> None:
    proxy("GET", f"/tickets/{TOKEN}?x={TOKEN}", source="127.0.0.77", Referer=f"http://{NAME}/holds/{TOKEN}")
    proxy("GET", f"/{TOKEN}", source="127.0.0.77")
    proxy("GET", f"/secret/{TOKEN}", source="127.0.0.77", Host="bank.example")
    proxy.stop_guests()
    try:
        proxy("GET", f"/holds/{TOKEN}", source="127.0.0.77", User_Agent="Agent/7")
    finally:
        proxy.start_guests()
    log = proxy.log
    assert " GET /tickets 200 " in log and " GET /holds 502 " in log and " (elsewhere) 302 " in log
    for secret in (TOKEN, "127.0.0.77", "Agent/7", "bank.example", "/secret"):
        assert secret not in log
    kept = b"".join(path.read_bytes() for path in (proxy.folder / "run").rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept


def test_tls_has_forward_secrecy_and_authenticated_ciphers_alone() -> None:
    text = render(
        "portal", "nginx.conf.j2", portal_secure_name=NAME, portal_certificate="/c", portal_certificate_key="/k"
    )
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found = re.search(r"ssl_ciphers (\S+);", text)
    assert found is not None
    context.set_ciphers(found[1])
    older = [each for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"]
    assert len(older) == 6
    assert all(each["name"].startswith("ECDHE-") and each["aead"] for each in older)


def own_certificate(path: Path, name: str = NAME) -> dict[str, list[list[str]]]:
    """What the unit runs to make the device's certificate at ``path``: key -> commands."""
    text = render("portal", "marquee-own-certificate.service.j2", portal_own_certificate=str(path), portal_name=name)
    keys = ("ExecCondition", "ExecStart")
    return {key: [shlex.split(line) for line in re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)] for key in keys}


def wanted(commands: dict[str, list[list[str]]]) -> bool:
    """Whether systemd would go on to make one."""
    return all(
        not subprocess.run(each, capture_output=True, check=False).returncode for each in commands["ExecCondition"]
    )


def made(commands: dict[str, list[list[str]]]) -> None:
    for each in commands["ExecStart"]:
        subprocess.run(each, capture_output=True, check=True)


def over_https(port: int, trust: str, method: str, path: str) -> tuple[int, str | None]:
    """Ask as a phone that trusts the certificate in this file and nothing else; status and location."""
    answer = request_at(method, f"https://{NAME}:{port}{path}", "127.0.0.1", b"", {}, trust)
    return answer.status, answer.headers.get("location")


def test_staff_come_in_over_https_alone_under_a_certificate_that_the_device_made(tmp_path: Path) -> None:
    """It is made while nginx runs, kept until its last month, and followed without a restart; guests do without."""
    pem, port = tmp_path / "kept" / "own.pem", free_port()
    pem.parent.mkdir()
    commands = own_certificate(pem)
    given = {"portal_staff": "own", "portal_own_certificate": str(pem), "portal_https_port": port}
    with running(tmp_path, **given) as proxy:
        assert wanted(commands)
        with pytest.raises(OSError):
            over_https(port, "", "GET", "/staff/sign-in")
        assert proxy("GET", "/").status == 200
        for _ in range(2):
            made(commands)
            assert not wanted(commands), "it is good for more than a month"
            assert wanted(own_certificate(pem, "elsewhere.home.arpa")), "it is for another name"
            assert pem.stat().st_mode & 0o777 == 0o640
            assert [each.name for each in pem.parent.iterdir()] == [pem.name]
            assert over_https(port, str(pem), "POST", "/staff/sign-in") == (200, None)
        [asked, _] = proxy.staff.asked
        assert (asked.headers["x-forwarded-proto"], asked.headers["host"]) == ("https", NAME)
        moved = proxy("GET", "/staff/orders?code=x")
        assert (moved.status, moved.headers["location"]) == (302, f"https://{NAME}:{port}/staff/orders?code=x")
        assert proxy("POST", "/staff/sign-in", b"pin=1").status == 404
        assert proxy("POST", "/api/v1/check-ins", b"{}").status == 404
        assert proxy("POST", "/api/v1/staff/tokens", b"{}").status == 404
        assert len(proxy.staff.asked) == 2, "over HTTP nothing reaches them"


HANDED = "tickets.example.org"


def hand_out(authority: Authority, folder: Path, name: str = HANDED) -> None:
    """What enrolment keeps on a device: key and certificate in one file, put there whole."""
    certificate, key = authority.issue(name, name)
    durable.write(folder / f"{name}.pem", Path(key).read_bytes() + Path(certificate).read_bytes(), 0o640)


def shown(port: int, name: str, trust: str) -> bytes:
    """Shake hands under a name, whatever is in it; return the certificate (DER) that is shown."""
    context = ssl.create_default_context(cafile=trust)
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname=name.encode()) as line,
    ):
        return line.getpeercert(binary_form=True)


def asked_as(port: int, name: str, host: str, trust: str, path: str = "/") -> int:
    """Ask for one host on a connection that was made for another; the status."""
    answer = request_at("GET", f"https://{name}:{port}{path}", "127.0.0.1", None, {"Host": host}, trust)
    return answer.status


@pytest.fixture
def phones(tmp_path: Path) -> Path:
    """Where certificates that the cloud hands out lie."""
    folder = tmp_path / "phones"
    folder.mkdir(mode=0o750)
    return folder


def test_a_certificate_that_was_handed_out_is_served_under_its_name_and_followed_without_a_word_to_nginx(
    tmp_path: Path, phones: Path
) -> None:
    authority, port = Authority(tmp_path / "authority"), free_port()
    with running(tmp_path, portal_staff="own", portal_handed_folder=str(phones), portal_https_port=port) as proxy:
        with pytest.raises(OSError, match="(?i)alert"):
            shown(port, HANDED, authority.file)
        for _ in range(2):
            hand_out(authority, phones)
            mine = ssl.PEM_cert_to_DER_cert((authority.folder / f"authority-{HANDED}.pem").read_text("ascii"))
            assert shown(port, HANDED, authority.file) == mine
            base = f"https://{HANDED}:{port}"
            answer = request_at("GET", f"{base}/.well-known/captive-portal", "127.0.0.1", None, {}, authority.file)
            assert answer.status == 200
        assert {asked.headers["host"] for asked in proxy.guests.asked} == {HANDED}
        assert {asked.headers["x-forwarded-proto"] for asked in proxy.guests.asked} == {"https"}
        assert asked_as(port, HANDED, HANDED, authority.file, "/staff/sign-in") == 200
        assert [asked.headers["host"] for asked in proxy.staff.asked] == [HANDED], "staff come in there too"
        assert asked_as(port, HANDED, HANDED, authority.file, "/metrics") == 404
        hand_out(authority, phones, "boxoffice.example.org")
        assert asked_as(port, "boxoffice.example.org", "boxoffice.example.org", authority.file) == 200
        (phones / f"{HANDED}.pem").unlink()
        with pytest.raises(OSError, match="(?i)alert"):
            shown(port, HANDED, authority.file)


def test_no_other_name_gets_a_certificate_however_it_is_written(tmp_path: Path, phones: Path) -> None:
    """The name becomes a path, so it is nothing but a name."""
    authority, port = Authority(tmp_path / "authority"), free_port()
    with running(tmp_path, portal_staff="own", portal_handed_folder=str(phones), portal_https_port=port):
        hand_out(authority, phones)
        lying_there = ("none", "a.1", "evil.example.org.", "-a.example.org", "a_b.example.org")
        for name in lying_there:
            (phones / f"{name}.pem").write_bytes((phones / f"{HANDED}.pem").read_bytes())
        climbing = ("x/../tickets.example.org", "x/tickets.example.org", "/tickets.example.org")
        for name in (*lying_there, *climbing, "example.org", NAME, f"x.{HANDED}"):
            with pytest.raises(OSError, match="(?i)alert|unrecognized"):
                shown(port, name, authority.file)
        assert shown(port, HANDED, authority.file)


def test_what_is_asked_for_under_another_name_than_that_of_the_handshake_is_not_here(
    tmp_path: Path, phones: Path
) -> None:
    authority, port, own = Authority(tmp_path / "authority"), free_port(), tmp_path / "own" / "own.pem"
    own.parent.mkdir()
    made(own_certificate(own))
    given = {"portal_staff": "own", "portal_own_certificate": str(own), "portal_handed_folder": str(phones)}
    with running(tmp_path, **given, portal_https_port=port) as proxy:
        hand_out(authority, phones)
        hand_out(authority, phones, "other.example.org")
        for host in (NAME, "other.example.org", "example.org", "localhost", "127.0.0.1", f"x.{HANDED}"):
            assert asked_as(port, HANDED, host, authority.file) == 421, host
        assert asked_as(port, NAME, HANDED, str(own)) == 421
        assert asked_as(port, NAME, "localhost", str(own)) == 421
        assert proxy.guests.asked == []
        assert asked_as(port, HANDED, f"{HANDED}:{port}", authority.file) == 200
        assert asked_as(port, NAME, NAME, str(own)) == 200


def test_the_pool_of_guests_says_where_staff_come_in_where_a_certificate_may_be_handed_out(
    tmp_path: Path, phones: Path
) -> None:
    """It knows the name; the proxy tells it its own."""
    port = free_port()
    with running(tmp_path, portal_staff="own", portal_handed_folder=str(phones), portal_https_port=port) as proxy:
        proxy.guests.answer = lambda _asked: (302, {"Location": f"https://{HANDED}/staff/"}, b"")
        moved = proxy("GET", "/staff/orders?code=x", X_Marquee_Staff="https://evil.example")
        assert (moved.status, moved.headers["location"]) == (302, f"https://{HANDED}/staff/")
        [asked] = proxy.guests.asked
        assert (asked.path, asked.headers["x-marquee-staff"]) == ("/staff/orders?code=x", f"https://{NAME}:{port}")
        assert proxy("POST", "/staff/sign-in", b"pin=1").status == 404
        assert proxy("POST", "/api/v1/staff/tokens", b"{}").status == 404
        assert (len(proxy.guests.asked), proxy.staff.asked) == (1, [])


def test_a_certificate_of_its_own_leaves_no_place_for_one_that_is_handed_out() -> None:
    given = {"portal_secure_name": HANDED, "portal_certificate": "/c", "portal_certificate_key": "/k"}
    plain = render("portal", "nginx.conf.j2", **given)
    assert render("portal", "nginx.conf.j2", portal_handed_folder="/phones", **given) == plain


def test_where_phones_know_a_certificate_staff_come_in_under_that_one() -> None:
    """Passkeys and cameras work there alone; nobody is led away from it, nor in a circle."""
    for name in (NAME, "hall.example.org"):
        given = {"portal_secure_name": name, "portal_certificate": "/c", "portal_certificate_key": "/k"}
        text = render("portal", "nginx.conf.j2", portal_staff="own", **given)
        assert re.findall(r"^ +ssl_certificate(?:_key)? (\S+);", text, re.MULTILINE) == ["/c", "/k"]
        assert re.findall(r"return 302 (https:\S+)\$request_uri;", text) == [f"https://{name}"]
        assert text.count("location = /staff/live/events") == 1
