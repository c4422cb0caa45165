"""What phones ask to find out whether a Wi-Fi leads to the internet, and what each of them makes of the answer.

One phone (a DHCP lease) is ``captive`` until somebody taps on the welcome page. ``enter`` goes on to the tickets, ``accept`` says
that this Wi-Fi is wanted although it has no internet. The systems differ in what the right answer to their question does to the
window they show the portal in: Apple's swaps its "Cancel", which would leave the Wi-Fi, for "Done"; Android's and ChromeOS's close
at once, in the middle of a booking. So the former get it as soon as somebody entered, the latter only when they accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Family = Literal["android", "apple", "chromeos", "firefox", "kindle", "windows", "other"]
State = Literal["captive", "entered", "accepted"]
Action = Literal["enter", "accept"]

TRANSITIONS: Mapping[tuple[State, Action], State] = {
    ("captive", "enter"): "entered",
    ("captive", "accept"): "accepted",
    ("entered", "enter"): "entered",
    ("entered", "accept"): "accepted",
    ("accepted", "enter"): "accepted",
    ("accepted", "accept"): "accepted",
}

# Those whose window stays when they find what they looked for; of a stranger the worst is assumed.
STAYS_OPEN: frozenset[Family] = frozenset({"apple", "firefox", "kindle", "windows"})


@dataclass(frozen=True, slots=True)
class Success:
    """The answer that a system takes for the internet."""

    status: int = 200
    media_type: str = "text/html"
    body: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One address that systems ask; an empty ``path`` stands for every path of the host."""

    host: str
    path: str
    family: Family
    success: Success


_APPLE = Success(body="<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>")
_NOTHING = Success(204)
_FIREFOX_PAGE = Success(
    body='<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>'
)
# The comment is what the reader looks for.
_KINDLE = Success(
    body="<!DOCTYPE html><html><head><title>Kindle Reachability Probe Page</title></head>"
    "<body><!--81ce4465-7167-4dcb-835b-dcc9e44c112a created with python 2.5 uuid.uuid4()--></body></html>"
)


def _text(body: str) -> Success:
    return Success(media_type="text/plain", body=body)


def _no_content(*hosts: str, family: Family = "android") -> tuple[Probe, ...]:
    paths = ("/generate_204", "/gen_204")
    return tuple(Probe(host, path, family, _NOTHING) for host in hosts for path in paths)


PROBES: tuple[Probe, ...] = (
    Probe("captive.apple.com", "", "apple", _APPLE),
    Probe("www.apple.com", "/library/test/success.html", "apple", _APPLE),
    *_no_content(
        "connectivitycheck.gstatic.com",
        "connectivitycheck.android.com",
        "clients1.google.com",
        "clients3.google.com",
        "www.google.com",
        "play.googleapis.com",
        "connectivity.samsung.com.cn",
        "connect.rom.miui.com",
        "connectivitycheck.platform.hicloud.com",
    ),
    *_no_content("www.gstatic.com", family="chromeos"),
    Probe("www.msftconnecttest.com", "/connecttest.txt", "windows", _text("Microsoft Connect Test")),
    Probe("www.msftncsi.com", "/ncsi.txt", "windows", _text("Microsoft NCSI")),
    Probe("detectportal.firefox.com", "/success.txt", "firefox", _text("success\n")),
    Probe("detectportal.firefox.com", "/canonical.html", "firefox", _FIREFOX_PAGE),
    Probe("spectrum.s3.amazonaws.com", "/kindle-wifi/wifistub.html", "kindle", _KINDLE),
    Probe("spectrum.s3.amazonaws.com", "/kindle-wifi/wifiredirect.html", "kindle", _KINDLE),
)
HOSTS: frozenset[str] = frozenset(each.host for each in PROBES)


def probe(host: str, path: str) -> Probe | None:
    """Return what is asked at this address, or None if no system asks there."""
    return next((each for each in PROBES if each.host == host and each.path in {"", path}), None)


def step(state: State, action: Action) -> State:
    """Return the state after a tap."""
    return TRANSITIONS[state, action]


def is_open(state: State, family: Family) -> bool:
    """Return whether a system of this family is told that all is well."""
    return state == "accepted" or (state == "entered" and family in STAYS_OPEN)


def family_of(user_agent: str) -> Family:
    """Return the family of whatever sends this User-Agent, for words and for RFC 8908, never for a right."""
    marks: tuple[tuple[str, Family], ...] = (
        ("CaptiveNetworkSupport", "apple"),
        ("iPhone", "apple"),
        ("iPad", "apple"),
        ("Kindle", "kindle"),
        ("Dalvik", "android"),
        ("Android", "android"),
        ("CrOS", "chromeos"),
        ("Windows", "windows"),
        ("Microsoft NCSI", "windows"),
        ("Macintosh", "apple"),
    )
    return next((family for mark, family in marks if mark in user_agent), "other")
