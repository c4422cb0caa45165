"""A venue's hotspot from a guest's side: real dnsmasq, nftables, nginx and portal, configured by nothing but the roles' templates."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.domain import captive
from appliance.domain.experiments import BUCKETS
from appliance.services import conversion
from appliance.services.box import Box
from appliance.web.keyring import KEY_FILE
from appliance.web.languages import LANGUAGES
from appliance.web.leases import Leases
from appliance.web.seeing import SeenListener
from appliance.web.tokens import Tokens
from bench.venue import open_box
from tests.support import dhcp, dns
from tests.support.box import BADGE, PIN
from tests.support.demo import wait_for
from tests.support.hotspot import ADDRESS, BEHIND, CATCH, HANDED, NAME, OTHER, SECURE, UPLINK, Hotspot, hotspot
from tests.support.pages import pages
from tests.support.phones import INTERFACE, Phone
from tests.support.platforms import CAPTIVE, OPEN, PLATFORMS, Android, Apple, Platform, api
from tests.support.roles import defaults

pytestmark = pytest.mark.system
PORTAL = f"http://{NAME}"
TICKET_PAGE = re.compile(r"/(?:tickets|orders)/[A-Za-z0-9_-]{20,}")


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hotspot]:
    with hotspot(tmp_path_factory.mktemp("hotspot")) as running:
        yield running


@pytest.fixture
def phone(spot: Hotspot) -> Phone:
    """A phone that has just joined, as one that was never here."""
    spot.phones[0].join()
    return spot.phones[0]


@pytest.fixture
def neighbour(spot: Hotspot) -> Phone:
    spot.phones[1].join()
    return spot.phones[1]


@pytest.mark.parametrize("kind", PLATFORMS, ids=lambda kind: kind.name)
def test_from_joining_to_a_ticket_and_to_being_let_in_on_every_system(phone: Phone, kind: type[Platform]) -> None:
    """The window never closes in the middle of a booking, and at the end the system takes the Wi-Fi for good."""
    system = kind(phone)
    assert system.check() == CAPTIVE
    window = system.window()
    assert window.at.url == f"{PORTAL}/welcome"
    assert "This Wi-Fi has no internet" in window.at.text
    window.send("/welcome", go="enter")
    assert window.at.url == f"{PORTAL}/"
    assert system.check() == (CAPTIVE if system.closes else OPEN), "what closes the window must wait"
    tickets = window.book("bench")
    assert TICKET_PAGE.search(tickets.url) and tickets.status == 200
    if system.closes:
        window.open("/welcome")
        window.send("/welcome", go="accept")
        assert NAME in window.at.text, "the last page says where to go on"
    assert system.check() == OPEN
    assert system.check() == OPEN


def test_one_phone_let_in_lets_nobody_else_in(phone: Phone, neighbour: Phone) -> None:
    mine, other = Apple(phone), Apple(neighbour)
    mine.window().send("/welcome", go="enter")
    assert (mine.check(), other.check()) == (OPEN, CAPTIVE)
    phone.join()
    assert Apple(phone).check() == CAPTIVE, "with another hardware address it is another phone"


@pytest.mark.slow
def test_what_a_phone_reached_outlives_the_portal(spot: Hotspot, phone: Phone) -> None:
    Apple(phone).window().send("/welcome", go="enter")
    spot.restart("guests")
    assert Apple(phone).check() == OPEN


def test_a_phone_that_slept_past_its_lease_is_the_phone_it_was(spot: Hotspot, phone: Phone) -> None:
    Apple(phone).window().send("/welcome", go="enter")
    before, kept = phone.lease.address, Leases(spot.folder / "dnsmasq.leases")
    hardware = kept.hardware_of(before)
    assert hardware
    spot.forget_leases()
    assert kept.hardware_of(before) is None
    phone.namespace.ip("address", "flush", "dev", INTERFACE)
    again = phone.namespace.inside(dhcp.ask, INTERFACE, hardware)
    assert again.address == before
    phone.configure(again.address, again.prefix, again.router)
    assert Apple(phone).check() == OPEN


def test_what_a_phone_calls_itself_is_not_kept(spot: Hotspot, phone: Phone) -> None:
    kept = (spot.folder / "dnsmasq.leases").read_text("utf-8")
    assert phone.lease.address in kept
    assert dhcp.HOST_NAME not in kept


def test_dhcp_names_the_captive_portal_api_exactly_while_its_certificate_is_good(spot: Hotspot, phone: Phone) -> None:
    assert phone.lease.life_s == defaults("hotspot")["hotspot_lease_minutes"] * 60
    assert phone.lease.captive_portal == f"https://{SECURE}/.well-known/captive-portal"
    try:
        assert spot.certificate(timedelta(seconds=-1)) == 1
        assert phone.join().captive_portal is None
        assert Android(phone).check() == CAPTIVE, "without the option a phone finds the portal by itself"
    finally:
        assert spot.certificate(timedelta(hours=12)) == 0
    assert phone.join().captive_portal is not None


def test_a_certificate_that_the_cloud_handed_out_is_found_by_name_told_by_dhcp_and_believed(tmp_path: Path) -> None:
    """On a device that began without one; nginx is not told, and dnsmasq started before there was a word to read."""
    with hotspot(tmp_path, 1, handed=True) as spot:
        [phone] = spot.phones
        staff = f"{PORTAL}/staff/sign-in"
        assert phone.join().captive_portal is None
        assert phone.resolve(HANDED).addresses == (CATCH,)
        assert phone.get(staff).headers["location"] == f"https://{NAME}/staff/sign-in"
        assert spot.certificate(timedelta(hours=12)) == 0
        assert phone.join().captive_portal == f"https://{HANDED}/.well-known/captive-portal"
        assert phone.resolve(HANDED).addresses == phone.resolve(NAME).addresses == (ADDRESS,)
        assert phone.resolve(HANDED).life_s <= 20
        assert phone.resolve(HANDED, dns.AAAA) == dns.DnsAnswer((), 0, 0)
        assert phone.resolve(f"x.{HANDED}").addresses == phone.resolve("example.org").addresses == (CATCH,)
        found = phone.request("GET", phone.lease.captive_portal, trust=spot.authority.file)
        assert (found.status, found.headers["content-type"]) == (200, "application/captive+json")
        assert json.loads(found.body)["user-portal-url"] == f"https://{HANDED}/welcome"
        assert phone.get(staff).headers["location"] == f"https://{HANDED}/staff/sign-in"
        assert phone.request("GET", f"https://{HANDED}/staff/sign-in", trust=spot.authority.file).status == 200
        assert spot.certificate(timedelta(seconds=-1)) == 1
        assert phone.join().captive_portal is None, "it is over, and phones find the portal by themselves again"
        assert phone.resolve(HANDED).addresses == (ADDRESS,)
        assert phone.get(staff).headers["location"] == f"https://{NAME}/staff/sign-in"


def test_phones_that_know_rfc_8908_are_led_to_the_real_browser_and_let_go(spot: Hotspot, phone: Phone) -> None:
    android = Android(phone, trust=spot.authority.file)
    found = api(android)
    assert found is not None
    assert (found.captive, found.custom_tabs, found.seconds) == (True, True, None)
    browser = phone.view(android.view_agent, trust=spot.authority.file)
    browser.open(found.portal)
    browser.send("/welcome", go="enter")
    assert api(android).captive, "the tab would close"
    assert TICKET_PAGE.search(browser.book("bench").url)
    browser.open("/welcome")
    browser.send("/welcome", go="accept")
    after = api(android)
    assert not after.captive
    assert 11 * 3600 < after.seconds <= 12 * 3600
    assert android.check() == OPEN


def test_the_roles_know_what_the_portal_knows() -> None:
    """Names that systems ask, languages, queries of shared pages."""
    role = defaults("portal")
    caching = next(each for each in pages() if each.name == "docs/portal-caching.md")
    queries = {row["query"].strip("`") for row in caching.tables("query")}
    assert {"lang", *role["portal_queries"]} == queries
    assert set(role["portal_probe_hosts"]) == captive.HOSTS
    assert role["portal_buckets"] == BUCKETS
    assert set(role["portal_languages"]) == set(LANGUAGES) == set(role["portal_busy"])


def test_names_lead_to_the_portal_or_where_nothing_private_is(phone: Phone) -> None:
    assert phone.resolve(NAME).addresses == phone.resolve(SECURE).addresses == (ADDRESS,)
    for host in (*sorted(captive.HOSTS), "example.org"):
        found = phone.resolve(host)
        assert found.addresses == (CATCH,)
        assert found.life_s <= 20, "a phone takes what it remembers along"
    for kind in (dns.AAAA, dns.HTTPS):
        assert phone.resolve("example.org", kind) == dns.DnsAnswer((), 0, 0), "nothing, at once; not a refusal"
    for name in ("use-application-dns.net", "mask.icloud.com"):
        assert phone.resolve(name).code == dns.NO_SUCH_NAME


def test_a_guest_reaches_dhcp_dns_and_the_portal_and_nothing_else(
    spot: Hotspot, phone: Phone, neighbour: Phone
) -> None:
    """What was reachable before the firewall was there, as the set-up made sure."""
    assert phone.reaches(ADDRESS, 80) and phone.reaches(ADDRESS, 443)
    closed = [
        (ADDRESS, OTHER),
        (ADDRESS, 22),
        (UPLINK, OTHER),
        (UPLINK, 443),
        (BEHIND, 443),
        (BEHIND, 8080),
        (CATCH, 443),
    ]
    for address, port in closed:
        assert not phone.reaches(address, port), f"{address}:{port}"
    # By radio the access point keeps phones apart; this is the way through the box.
    phone.namespace.ip("route", "add", f"{neighbour.lease.address}/32", "via", ADDRESS)
    listener = neighbour.namespace.inside(_listener, 8000)
    with listener:
        assert not phone.reaches(neighbour.lease.address, 8000)
        assert neighbour.reaches(neighbour.lease.address, 8000), "it does listen"
    assert "refused" in spot.box.run("nft", "list", "table", "inet", "marquee_hotspot")


def _listener(port: int) -> socket.socket:
    return socket.create_server(("0.0.0.0", port))


def test_one_phone_cannot_take_the_addresses_of_all_others(phone: Phone, neighbour: Phone) -> None:
    """Each in the name of another phone; joining itself took two of its twelve messages."""
    assert 5 <= phone.namespace.inside(dhcp.flood, INTERFACE, 60) <= 11
    assert neighbour.join().address


def test_one_phone_with_many_addresses_has_the_connections_of_one(phone: Phone, neighbour: Phone) -> None:
    """They are counted by its hardware address; an address of this Wi-Fi it writes as many of as it likes."""
    most = defaults("hotspot")["hotspot_connections_per_phone"]
    sources = [f"192.168.6.{number}" for number in range(20, 28)]
    for each in sources:
        phone.namespace.ip("address", "add", f"{each}/22", "dev", INTERFACE)
    held = phone.namespace.inside(_hold, sources, ADDRESS, most // 2)
    try:
        assert most // 2 < len(held) <= most
        assert neighbour.reaches(ADDRESS, 80)
    finally:
        for connection in held:
            connection.close()


def _hold(sources: list[str], address: str, each: int) -> list[socket.socket]:
    """Open connections from each of these addresses, and keep those that were accepted."""
    held = []
    for source in sources:
        for _ in range(each):
            with contextlib.suppress(ConnectionRefusedError):
                held.append(socket.create_connection((address, 80), 5, (source, 0)))
    return held


def test_phones_with_addresses_from_elsewhere_find_the_portal_all_the_same(phone: Phone) -> None:
    """A page of a web server behind the uplink, and a DNS server that was set by hand."""
    answer = phone.get(f"http://{BEHIND}/")
    assert (answer.status, answer.headers["location"]) == (302, f"{PORTAL}/welcome")
    assert phone.resolve("example.org", server="8.8.8.8").addresses == (CATCH,)


def test_nobody_speaks_from_an_address_that_is_not_of_this_wifi(phone: Phone) -> None:
    phone.namespace.ip("address", "add", "203.0.113.77/32", "dev", "wlan0")
    with pytest.raises(TimeoutError):
        phone.namespace.inside(_connect_from, "203.0.113.77", ADDRESS, 80)


def _connect_from(source: str, address: str, port: int) -> None:
    socket.create_connection((address, port), 1, (source, 0)).close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_what_phones_send_to_names_of_others_changes_nothing(phone: Phone, method: str) -> None:
    for host in ("example.org", "captive.apple.com", "connectivitycheck.gstatic.com"):
        answer = phone.request(method, f"http://{host}/welcome", b"go=accept")
        assert (answer.status, answer.headers["cache-control"]) == (511, "no-store")
        assert "location" not in answer.headers
    assert Apple(phone).check() == CAPTIVE


def test_unknown_names_are_led_to_the_welcome_page_and_nothing_of_theirs_comes_along(phone: Phone) -> None:
    for url in (
        "http://example.org/login?next=//evil.example",
        f"http://{ADDRESS}/metrics",
        "http://example.org/staff/",
    ):
        answer = phone.get(url)
        assert (answer.status, answer.headers["location"]) == (302, f"{PORTAL}/welcome")
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers


def test_https_of_others_is_refused_and_ours_is_ours(spot: Hotspot, phone: Phone) -> None:
    with pytest.raises(ConnectionRefusedError):
        phone.request("GET", "https://example.org/")
    # Even who asks our address for another name gets no certificate.
    with pytest.raises(OSError, match="(?i)unrecognized name|alert"):
        phone.request("GET", "https://example.org/", address=ADDRESS, trust=spot.authority.file)
    answer = phone.request("GET", f"https://{SECURE}/", trust=spot.authority.file)
    assert answer.status == 200
    assert "strict-transport-security" not in answer.headers


SHUT = ("/metrics", "/readyz", "/healthz", "/internal/token", "/console/", "/api/v1/stock", "/-/gate")
STAFF = (
    "/staff/sign-in", "/staff/", "/staff/live/events", "/api/v1/staff/tokens", "/api/v1/check-ins/x", "/api/v1/orders/x/payments",
    "/api/v1/orders/x/refunds",
)  # fmt: skip


def test_what_is_not_for_guests_is_not_there_however_it_is_written(spot: Hotspot, phone: Phone) -> None:
    for base in (PORTAL, f"https://{SECURE}"):
        for path in SHUT:
            assert _status(spot, phone, base + path) == 404, base + path
    for path in (
        *STAFF,
        "//staff/sign-in",
        "/%73taff/sign-in",
        "/x/../staff/sign-in",
        "/./staff/sign-in",
        "/%2e/metrics",
    ):
        assert _status(spot, phone, PORTAL + path) in {400, 404}, path
    assert _status(spot, phone, f"https://{SECURE}/staff/sign-in") == 200
    # Who looks for orders is asked who they are in the pool of staff, and finds nothing to ask elsewhere.
    assert _status(spot, phone, f"https://{SECURE}/api/v1/orders?q=ada") == 401
    assert _status(spot, phone, f"{PORTAL}/api/v1/orders?q=ada") == 405
    assert phone.request("POST", f"https://{SECURE}/api/v1/check-ins", b"{}", trust=spot.authority.file).status == 401


def test_staff_sign_in_on_the_guests_wifi_over_https_and_pass_the_gate(spot: Hotspot, phone: Phone) -> None:
    base, trust = f"https://{SECURE}", spot.authority.file
    stranger = phone.request("GET", f"{base}/staff/", trust=trust)
    assert (stranger.status, stranger.headers["location"]) == (303, "/staff/sign-in")
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": base}
    entered = phone.request(
        "POST", f"{base}/staff/sign-in", f"badge={BADGE}&pin={PIN}".encode(), headers=form, trust=trust
    )
    cookie = entered.headers["set-cookie"]
    assert cookie.startswith("__Host-staff=")
    assert entered.status == 303
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= {each.strip() for each in cookie.split(";")}
    mine = {"Cookie": cookie.partition(";")[0]}
    door = phone.request("GET", base + entered.headers["location"], headers=mine, trust=trust)
    assert (door.status, door.headers["cache-control"]) == (200, "no-store")
    assert phone.request("GET", PORTAL + entered.headers["location"], headers=mine).status == 404, "not over plain HTTP"


def test_what_is_kept_for_a_captive_browser_is_never_shown_to_a_real_one_or_the_other_way_round(
    spot: Hotspot, phone: Phone
) -> None:
    for _ in range(2):
        plain = phone.get(f"{PORTAL}/", Accept_Language="en").text
        secure = phone.request(
            "GET", f"https://{SECURE}/", headers={"Accept-Language": "en"}, trust=spot.authority.file
        )
        assert "<script" not in plain
        assert "<script" in secure.text


def _status(spot: Hotspot, phone: Phone, url: str) -> int:
    return phone.request("GET", url, trust=spot.authority.file).status


def test_figures_are_for_the_machine_itself(spot: Hotspot) -> None:
    found = spot.box.inside(_local, "/metrics")
    assert found.startswith("HTTP/1.1 200") and "marquee_http_requests" in found
    assert spot.box.inside(_local, "/staff/sign-in").startswith("HTTP/1.1 404")


def _local(path: str) -> str:
    with socket.create_connection(("127.0.0.1", 8082), 5) as sock:
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


HOSTILE = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=evil.example",
    "X-Original-URL": "/staff/",
    "X-Marquee-Language": "de",
    "X-Marquee-Variant": "evil",
    "Cookie": "lang=de; marquee=evil",
    "Accept-Encoding": "identity;q=1, evil",
    "Client-Token": "evil",
    "User-Agent": "<script>evil</script>",
    "X-HTTP-Method-Override": "DELETE",
    "Range": "bytes=0-3",
}


def test_no_header_of_one_phone_gets_into_the_page_of_all(phone: Phone) -> None:
    paths = ("/", "/events/bench", "/api/v1/availability")
    _expire()
    for headers in ({**HOSTILE, "Accept-Language": "en"}, {"Accept-Language": "en"}):
        for path in paths:
            answer = phone.request("GET", PORTAL + path, headers=headers)
            assert answer.status == 200
            assert "evil" not in answer.text + repr(answer.headers)
            assert "marquee-key" not in answer.text, "only pages of events and those of one phone get keys"
            assert path == paths[2] or 'lang="en"' in answer.text.partition("<head>")[0]


def test_junk_in_a_query_neither_reaches_the_page_nor_makes_another_copy(spot: Hotspot, phone: Phone) -> None:
    _expire()
    before = len(_asked(spot, "/"))
    for number in range(20):
        answer = phone.get(f"{PORTAL}/?utm={number}&evil=%3Cscript%3E&x[]=1;{number}", Accept_Language="en")
        assert answer.status == 200 and "evil" not in answer.text
    assert len(_asked(spot, "/")) - before <= 2
    german = phone.get(f"{PORTAL}/?evil=1&lang=de", Accept_Language="en").text
    assert 'lang="de"' in german.partition("<head>")[0]


def test_hostile_host_headers_end_where_every_unknown_name_does(phone: Phone) -> None:
    for host in ("evil.example", f"{NAME}.evil.example", f"evil.example:80@{NAME}", "", "127.0.0.1", "localhost"):
        answer = phone.request("GET", f"http://{ADDRESS}/", headers={"Host": host})
        assert answer.status in {302, 400}
        assert "evil" not in answer.headers.get("location", "")
    # A port after the right name is not the name of another site.
    for host in (NAME.upper(), f"{NAME}:8080"):
        answer = phone.request("GET", f"http://{ADDRESS}/events/bench", headers={"Host": host})
        assert answer.status == 200 and ":8080" not in answer.text and NAME.upper() not in answer.text


@pytest.mark.parametrize(
    ("spoken", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("ja,fr-CA;q=0.8,en;q=0.7", "fr"),
        ("DE", "de"),
        ("den, xde, ar;q=0.3", "ar"),
        ("zh", "en"),
        ("", "en"),
        ("a" * 4000, "en"),
    ],
)
def test_each_reader_gets_their_language_and_each_language_its_own_copy(
    phone: Phone, spoken: str, language: str
) -> None:
    for _ in range(2):
        answer = phone.get(f"{PORTAL}/", Accept_Language=spoken)
        assert f'<html lang="{language}"' in answer.text
        assert "Accept-Language" in answer.headers["vary"]


def test_a_shared_page_costs_python_one_request_and_gives_every_phone_a_key_of_its_own(
    spot: Hotspot, phone: Phone
) -> None:
    _expire()
    before = len(_asked(spot, "/events/<slug>"))
    pages = [phone.get(f"{PORTAL}/events/bench", Accept_Language="en").text for _ in range(12)]
    keys = [re.search(r'name="key" value="([^"]+)"', page)[1] for page in pages]
    assert len(set(keys)) == 12
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)
    assert not any("marquee-key" in page for page in pages)
    assert len(_asked(spot, "/events/<slug>")) - before <= 2
    assert {re.sub(r'value="[0-9a-f]{32}"', "", page) for page in pages[1:]}.__len__() <= 2


def test_pages_that_never_reached_python_are_counted_once_per_phone(
    spot: Hotspot, phone: Phone, neighbour: Phone
) -> None:
    data, stop = spot.folder / "data", threading.Event()
    box = open_box(data, 1)
    names = Tokens.from_file(data / KEY_FILE)
    listener = SeenListener(spot.folder / "seen.sock", box, names, Leases(spot.folder / "dnsmasq.leases"))
    thread = listener.start(stop)
    before = _seen(box)
    try:
        for each in (phone, neighbour, phone):
            assert each.get(f"{PORTAL}/events/bench", Accept_Language="en").status == 200
            each.get(f"{PORTAL}/events/no-such-event")
        wait_for(lambda: _seen(box) == before + 2, "two phones to be counted", 10)
        phone.get(f"{PORTAL}/events/bench", Accept_Language="fr")
        time.sleep(1.2)
        assert _seen(box) == before + 2
    finally:
        stop.set()
        thread.join(10)
        box.database.close()


def _seen(box: Box) -> int:
    return sum(each.phones for each in box.look(conversion.totals) if each.stage == "seen")


def test_addresses_with_a_token_are_kept_nowhere_and_written_down_nowhere(spot: Hotspot, phone: Phone) -> None:
    window = Android(phone).window()
    window.send("/welcome", go="enter")
    window.open("/events/bench")
    window.send("/holds")
    hold = window.at.url
    ticket = window.send("/confirm").url
    again = phone.get(ticket)
    assert again.headers["cache-control"] == "no-store" and again.status == 200
    with_referer = phone.get(f"{PORTAL}/", Referer=ticket)
    assert with_referer.status == 200
    time.sleep(1.3)
    written = spot.log + "".join(path.read_text("utf-8", "replace") for path in spot.folder.glob("*.log"))
    for url in (hold, ticket):
        token = max(url.split("?")[0].split("/"), key=len)
        assert len(token) > 20 and token not in written
    for path in (spot.folder / "nginx").rglob("*"):
        assert not path.is_file() or ticket.rpartition("/")[2].encode() not in path.read_bytes()


def test_what_is_named_by_its_content_is_asked_for_once(spot: Hotspot, phone: Phone) -> None:
    page = phone.get(f"{PORTAL}/").text
    path = re.search(r"/static/[a-z]+\.[0-9a-f]+\.css", page)[0]
    before = len(_asked(spot, "/static/<hashed>"))
    for number, encoding in enumerate(("gzip", "br, gzip;q=0.8", "", "identity", "gzip;q=0")):
        answer = phone.get(f"{PORTAL}{path}?junk={number}", Accept_Encoding=encoding)
        assert "immutable" in answer.headers["cache-control"]
        assert (answer.headers.get("content-encoding") == "gzip") is (number < 2)
    assert len(_asked(spot, "/static/<hashed>")) - before <= 2


def test_a_body_that_is_too_large_never_reaches_python(spot: Hotspot, phone: Phone) -> None:
    before = len(_asked(spot, "/holds"))
    assert phone.request("POST", f"{PORTAL}/holds", b"x" * 70_000).status == 413
    assert len(_asked(spot, "/holds")) == before


def test_a_slow_or_silent_phone_holds_no_thread(spot: Hotspot, phone: Phone) -> None:
    """Thirty connections that never end their request; Python has sixteen threads."""
    slow = [phone.namespace.inside(_slow) for _ in range(30)]
    try:
        began = time.monotonic()
        assert phone.get(f"{PORTAL}/welcome").status == 200
        assert time.monotonic() - began < 5
    finally:
        for sock in slow:
            sock.close()


def _slow() -> socket.socket:
    sock = socket.create_connection((ADDRESS, 80), 5)
    sock.sendall(f"POST /holds HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 1000\r\n\r\nkey=".encode())
    return sock


def _asked(spot: Hotspot, route: str) -> list[str]:
    """The requests for a route that reached the pool of guests."""
    lines = (spot.folder / "guests.log").read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith("{") and json.loads(line).get("route") == route]


def _expire() -> None:
    """Let what nginx keeps grow older than it may be served."""
    time.sleep(1.1)
