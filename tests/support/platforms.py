"""How the systems of phones and computers find out that a Wi-Fi has a portal, and what they do when it lets them in.

From the sources that docs/portal.md names: Android's NetworkMonitor and CaptivePortalLogin, Apple's Captive Network Assistant as observed
from outside, Microsoft's NCSI, Firefox's and ChromeOS's portal detectors, the readers of Amazon. Each check looks only at what the system
looks at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urljoin

from tests.support.phones import Answer, Phone, View

OPEN, CAPTIVE = "open", "captive"
PRIVATE = ("10.", "192.168.", "172.16.")


@dataclass
class Platform:
    """One system on one phone. ``trust`` is the authority its HTTPS believes."""

    phone: Phone
    trust: str = ""

    name: ClassVar[str] = ""
    probe_agent: ClassVar[str] = ""
    view_agent: ClassVar[str] = ""
    # What its window opens, and whether it closes by itself once the check finds the network open.
    entry: ClassVar[str] = ""
    closes: ClassVar[bool] = False

    def check(self) -> str:
        """Return ``open`` or ``captive``, as the system would judge the network now."""
        raise NotImplementedError

    def window(self) -> View:
        """Return the window it shows the portal in, opened where the system opens it."""
        view = self.phone.view(self.view_agent)
        view.open(self.entry)
        return view

    def probe(self, url: str) -> Answer:
        """Ask what the system asks, and hold the answer to what all of them need."""
        answer = self.phone.get(url, self.probe_agent)
        assert answer.headers["cache-control"] == "no-store", "a kept answer would be believed later"
        assert "strict-transport-security" not in answer.headers
        assert "set-cookie" not in answer.headers
        return answer


class Apple(Platform):
    """Open if the answer is the word Success, whatever else it says; asked again after every full page of the window."""

    name = "apple"
    probe_agent = "CaptiveNetworkSupport-433.0.0.0.2 wispr"
    view_agent = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
    )
    entry = "http://captive.apple.com/hotspot-detect.html"

    def check(self) -> str:
        answer = self.probe(self.entry)
        return OPEN if answer.status == 200 and "<BODY>Success</BODY>" in answer.text else CAPTIVE


class Android(Platform):
    """Open if the answer is 204; names that lead to private addresses are not believed to be a portal."""

    name = "android"
    probe_agent = (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/60.0.3112.32 Safari/537.36"
    )
    view_agent = (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 Version/4.0 Chrome/120.0 Mobile"
    )
    entry = "http://connectivitycheck.gstatic.com/generate_204"
    closes = True

    def check(self) -> str:
        assert not self.phone.resolve("connectivitycheck.gstatic.com").addresses[0].startswith(PRIVATE)
        # The same over HTTPS: refused at once, neither answered by somebody else nor waited for.
        assert not self.phone.reaches(self.phone.resolve("www.google.com").addresses[0], 443, 1)
        answer = self.probe(self.entry)
        if answer.status == 204:
            return OPEN
        assert answer.status == 302 and answer.headers["location"].startswith("http")
        return CAPTIVE


class Samsung(Android):
    """Android with older habits: the platform's own agent, another name."""

    name = "samsung"
    probe_agent = "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A.220624.014)"
    view_agent = "Mozilla/5.0 (Linux; Android 13; SM-G991B; wv) AppleWebKit/537.36 Version/4.0 Chrome/120.0 Mobile"
    entry = "http://connectivitycheck.android.com/generate_204"


class Windows(Platform):
    """A name with a known address and a file with known words; opens the browser at /redirect."""

    name = "windows"
    probe_agent = "Microsoft NCSI"
    view_agent = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
    )
    entry = "http://www.msftconnecttest.com/redirect"

    def check(self) -> str:
        assert self.phone.resolve("dns.msftncsi.com").addresses == ("131.107.255.255",)
        answer = self.probe("http://www.msftconnecttest.com/connecttest.txt")
        return OPEN if answer.status == 200 and answer.text == "Microsoft Connect Test" else CAPTIVE


class Firefox(Platform):
    """Open if both of its files are as it knows them; otherwise a bar offers the page."""

    name = "firefox"
    probe_agent = view_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    entry = "http://detectportal.firefox.com/canonical.html"

    def check(self) -> str:
        page = self.probe(self.entry)
        words = self.probe("http://detectportal.firefox.com/success.txt?ipv4")
        known = '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>'
        good = (page.status, page.text, words.status, words.text) == (200, known, 200, "success\n")
        return OPEN if good else CAPTIVE


class ChromeOs(Platform):
    """As Android, with a window of its own that closes."""

    name = "chromeos"
    probe_agent = view_agent = (
        "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36"
    )
    entry = "http://www.gstatic.com/generate_204"
    closes = True

    def check(self) -> str:
        return OPEN if self.probe(self.entry).status == 204 else CAPTIVE


class Kindle(Platform):
    """Open if a page holds the mark it looks for."""

    name = "kindle"
    probe_agent = view_agent = "Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) AppleWebKit/531.2+ Kindle/3.0+"
    entry = "http://spectrum.s3.amazonaws.com/kindle-wifi/wifistub.html"

    def check(self) -> str:
        answer = self.probe(self.entry)
        return OPEN if answer.status == 200 and "81ce4465-7167-4dcb-835b-dcc9e44c112a" in answer.text else CAPTIVE


PLATFORMS: tuple[type[Platform], ...] = (Apple, Android, Samsung, Windows, Firefox, ChromeOs, Kindle)


@dataclass(frozen=True)
class Api:
    """What a system learns from DHCP option 114 (RFC 8910) and the answer behind it (RFC 8908)."""

    captive: bool
    portal: str
    custom_tabs: bool
    seconds: int | None


def api(platform: Platform) -> Api | None:
    """Ask as systems do that know RFC 8908: over HTTPS with a certificate they believe, or not at all."""
    lease = platform.phone.lease
    url = lease.captive_portal if lease is not None else None
    if url is None or not url.startswith("https://"):
        return None
    answer = platform.phone.request("GET", url, agent=platform.probe_agent, trust=platform.trust)
    assert answer.headers["content-type"] == "application/captive+json"
    assert answer.headers["cache-control"] in {"private", "no-store"}
    found = json.loads(answer.body)
    portal = urljoin(url, found["user-portal-url"])
    assert portal.startswith("https://"), "RFC 8908, 5: the portal must be reached over TLS"
    return Api(found["captive"], portal, bool(found.get("x-android-use-custom-tabs")), found.get("seconds-remaining"))
