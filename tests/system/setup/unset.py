"""Setup mode: what a card that is no device yet says on the air, on its screen, to this host and in its own file."""

from __future__ import annotations

import html
import http.client
import json
import time
from typing import Any

from appliance.domain.provisioning import ProvisioningError, read_provisioning
from appliance.domain.setup import WORDS, Step
from tests.system.board.board import Board
from tests.system.board.machine import wait_until
from tests.system.venue_board import INSIDE_PORT, NAME, Venue

FILE = "/boot/marquee/provisioning.toml"
# What the office wrote, and what somebody made of it who typed it anew.
MISTAKES = {'country = "DE"': 'country = "Germany"', 'ssid = "Town Hall"': 'sid = "Town Hall"'}
# What the page calls these; the screen's words are the program's own.
TITLES: dict[Step, str] = {
    "no_file": "This device has no provisioning file.",
    "bad_file": "The provisioning file of this device cannot be used.",
}
# What a phone asks first, and where it is led.
PROBE, PAGE = "connectivitycheck.gstatic.com", f"http://{NAME}/setup"
SAYS_S = 120.0
_HEARD = "ip link set wlan1 up && iw dev wlan1 scan | sed -n 's/^\\tSSID: //p'; ip link set wlan1 down"
_READY = (
    'python3 -c \'import http.client; line = http.client.HTTPConnection("127.0.0.1", 8082, timeout=60);'
    ' line.request("GET", "/readyz"); answer = line.getresponse(); print(answer.status, answer.read().decode())\''
)


def spoilt(right: bytes) -> bytes:
    """Return the provisioning file with mistakes in it."""
    text = right.decode()
    for good, bad in MISTAKES.items():
        assert good in text, text
        text = text.replace(good, bad)
    return text.encode()


def problems_of(file: bytes) -> list[str]:
    """What a device must say of this file."""
    try:
        read_provisioning(file)
    except ProvisioningError as error:
        return error.problems
    raise AssertionError("nothing is wrong with this file")


def joined(at: Venue) -> str:
    """Put the phone on the Wi-Fi of a card that has no name for one, as the list of a phone shows it; return that name."""
    end_s = time.monotonic() + 600
    while not (names := [name for name in heard(at.board) if name.startswith("Marquee setup ")]):
        assert time.monotonic() < end_s, at.board.run("journalctl -b -u hostapd -n 40 --no-pager").output
        time.sleep(2)
    at.board.phone(names[0], INSIDE_PORT)
    return names[0]


def heard(board: Board) -> list[str]:
    """The names of all Wi-Fis around the second radio."""
    return board.run(_HEARD).output.splitlines()


def sells_nothing(at: Venue) -> None:
    """Phones are led to the setup page whatever they ask for, machines are told to wait, and the board itself calls it not ready."""
    for host, path in ((NAME, "/"), (NAME, "/events/long-night"), (PROBE, "/generate_204")):
        status, location, _ = fetched(at, path, host)
        assert (status, location) == (302, PAGE), f"{host}{path}: {status} {location}"
    status, answer = at.ask("POST", "/api/v1/holds", {"items": [{"ticket_type": "any", "quantity": 1}]})
    assert (status, answer["type"]) == (503, "/problems/busy"), answer
    assert at.available() == 0


def says(at: Venue, step: Step, problems: list[str]) -> None:
    """Its file, ``/readyz``, the page over the air and the screen name the step and each problem."""
    found: dict[str, Any] = {}

    def told() -> bool:
        found["file"] = json.loads(at.board.check("cat /var/lib/marquee/setup.json"))
        found["ready"] = at.board.check(_READY)
        found["page"] = fetched(at, "/setup")
        found["screen"] = on_screen(at.board)
        return (
            (found["file"]["step"], list(found["file"]["problems"])) == (step, problems)
            and found["ready"].startswith("503 ")
            and json.loads(found["ready"][4:])["checks"] == {"setup": step}
            and found["page"][0] == 200
            and all(each in found["page"][2] for each in ("This box office is not open yet", TITLES[step], *problems))
            and all(each in found["screen"] for each in (WORDS[step][0], *problems, f"{PAGE} "))
        )

    assert wait_until(told, SAYS_S, 2), f"{step}, {problems}: {json.dumps(found, indent=1)}"
    print(f"the screen: {found['screen']}", flush=True)


def fetched(at: Venue, path: str, host: str = NAME) -> tuple[int, str, str]:
    """Ask for a page over the air, as a person's browser; return status, where it leads, and its text."""
    line = http.client.HTTPConnection("127.0.0.1", at.port, timeout=60)
    try:
        line.request("GET", path, headers={"Host": host, "Accept-Language": "en"})
        answer = line.getresponse()
        return answer.status, answer.getheader("Location", ""), html.unescape(answer.read().decode())
    finally:
        line.close()


def on_screen(board: Board) -> str:
    """What stands on the screen (tty1), its words one space apart."""
    return " ".join(board.check("cat /dev/vcs1").split())


def keeps_secret(at: Venue, file: bytes) -> None:
    """The token of the file that was meant stands neither on page and screen nor in what the device wrote down."""
    token = read_provisioning(file).token
    assert token not in fetched(at, "/setup")[2]
    assert token not in on_screen(at.board)
    written = at.board.check(f"(journalctl -b --no-pager; cat /var/lib/marquee/setup.json) | grep -cFe {token} || true")
    assert written.strip() == "0"
