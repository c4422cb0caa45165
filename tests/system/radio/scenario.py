"""What guests do over the air, as functions: join at once, be captured, book, reach nothing else, be refused when it is full.

The device is the machine this runs on; each phone is a simulated radio in a network of its own. Standard library and ``tests.support``
alone, so that the same functions run in the guest of the radio tests and in the booted image.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.support import dhcp
from tests.support.namespaces import Namespace, namespaces
from tests.support.phones import INTERFACE, Phone
from tests.support.platforms import CAPTIVE, OPEN, Android, Apple

ADDRESS, CATCH, NAME = "192.168.4.1", "192.0.2.1", "tickets.home.arpa"
PORTAL = f"http://{NAME}"
FREQUENCY_MHZ = 2437
ASSOCIATE_S = 60.0
T = TypeVar("T")


class Refused(Exception):
    """The access point did not let the phone in."""


@dataclass(frozen=True)
class Radio:
    """A simulated radio: its physical device and its interface."""

    phy: str
    interface: str


def radios() -> list[Radio]:
    """Every simulated radio of this network, the first one first."""
    found = []
    for phy in sorted(Path("/sys/class/ieee80211").glob("phy*"), key=lambda each: int(each.name[3:])):
        names = [each.name for each in (phy / "device" / "net").glob("wlan*")]
        if len(names) == 1 and (phy / "device" / "driver").resolve().name == "mac80211_hwsim":
            found.append(Radio(phy.name, names[0]))
    return found


def run(*command: str, limit_s: float = 60) -> str:
    """Run a command on the device and return what it printed; raises with all of it if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def until(what: Callable[[], T], words: str, limit_s: float = 60) -> T:
    """Wait until ``what`` is true without an error, and return it."""
    end_s, last = time.monotonic() + limit_s, "it was never so"
    while time.monotonic() < end_s:
        try:
            if found := what():
                return found
        except (AssertionError, OSError) as error:
            last = repr(error)
        time.sleep(0.2)
    raise AssertionError(f"{words}: {last}")


class RadioPhone(Phone):
    """A phone with a radio. It is not on the Wi-Fi before ``associate``, and has no address before ``join``."""

    def __init__(self, namespace: Namespace, number: int, radio: Radio) -> None:
        super().__init__(namespace, number)
        self.radio = radio
        self._supplicant: subprocess.Popen[bytes] | None = None
        run("iw", "phy", radio.phy, "set", "netns", "name", namespace.name)
        namespace.ip("link", "set", radio.interface, "name", INTERFACE)
        # Our DHCP client is a plain socket: before it has an address, a filter of return paths takes every answer for a forgery.
        for each in ("all", INTERFACE):
            namespace.run("sysctl", "-q", "-w", f"net.ipv4.conf.{each}.rp_filter=0")
        namespace.ip("link", "set", INTERFACE, "up")

    @property
    def hardware(self) -> str:
        """The address by which the access point knows it."""
        words = self.namespace.run("iw", "dev", INTERFACE, "info").split()
        return words[words.index("addr") + 1]

    def associate(self, ssid: str, passphrase: str = "", limit_s: float = ASSOCIATE_S) -> None:
        """Come onto the Wi-Fi; raises ``Refused`` if it does not let the phone in within that time."""
        if passphrase:
            self._by_supplicant(ssid, passphrase, limit_s)
            return
        end_s, said = time.monotonic() + limit_s, ""
        while time.monotonic() < end_s:
            words = self.namespace.command("iw", "dev", INTERFACE, "connect", "-w", ssid, str(FREQUENCY_MHZ))
            try:
                done = subprocess.run(words, capture_output=True, text=True, timeout=limit_s, check=False)
                said = f"{done.stdout}{done.stderr}"
            except subprocess.TimeoutExpired:
                # iw waits without end for an access point that is full and does not answer.
                said = "no answer"
            if self.associated:
                return
            time.sleep(0.5)
        raise Refused(said)

    @property
    def associated(self) -> bool:
        """Whether it is on a Wi-Fi."""
        return self.namespace.run("iw", "dev", INTERFACE, "link").startswith("Connected to")

    def leave(self) -> None:
        """Leave the Wi-Fi, saying so."""
        if self._supplicant is not None:
            self._supplicant.terminate()
            self._supplicant.wait(10)
            self._supplicant = None
            # What it told the radio about keys does not outlast it on a phone either.
            self.namespace.ip("link", "set", INTERFACE, "down")
            self.namespace.ip("link", "set", INTERFACE, "up")
        subprocess.run(self.namespace.command("iw", "dev", INTERFACE, "disconnect"), capture_output=True, check=False)
        self.namespace.ip("address", "flush", "dev", INTERFACE)

    def join(self) -> dhcp.DhcpAnswer:
        """Ask for an address as this radio."""
        self.namespace.ip("address", "flush", "dev", INTERFACE)
        # As patient as a phone: the device hears a dozen questions in a row and no more from one.
        self.lease = self.namespace.inside(dhcp.ask, INTERFACE, self.hardware, 2.0)
        self.configure(self.lease.address, self.lease.prefix, self.lease.router)
        self.dns = self.lease.dns
        return self.lease

    def _by_supplicant(self, ssid: str, passphrase: str, limit_s: float) -> None:
        file = Path(f"/run/phone-{self.number}.conf")
        file.write_text(
            f'network={{\n\tssid="{ssid}"\n\tpsk="{passphrase}"\n\tkey_mgmt=WPA-PSK\n\tscan_freq={FREQUENCY_MHZ}\n}}\n'
        )
        words = self.namespace.command("wpa_supplicant", "-Dnl80211", f"-i{INTERFACE}", f"-c{file}")
        self._supplicant = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            # Associated alone proves nothing: with a wrong passphrase it lasts until the handshake fails.
            if "authorized:\tyes" in self.namespace.run("iw", "dev", INTERFACE, "station", "dump"):
                return
            time.sleep(0.3)
        self.leave()
        raise Refused(f"not within {limit_s:g} s")

    def close(self) -> None:
        """Put the radio back where it came from."""
        self.leave()
        self.namespace.ip("link", "set", INTERFACE, "down")
        self.namespace.ip("link", "set", INTERFACE, "name", self.radio.interface)
        self.namespace.run("iw", "phy", self.radio.phy, "set", "netns", "1")


@contextlib.contextmanager
def phones(own: Sequence[Radio]) -> Iterator[list[RadioPhone]]:
    """Give each of these radios to a phone of its own."""
    with namespaces(*(f"phone{number}" for number in range(len(own)))) as made:
        found: list[RadioPhone] = []
        try:
            for number, (namespace, radio) in enumerate(zip(made, own, strict=True)):
                found.append(RadioPhone(namespace, number, radio))
            yield found
        finally:
            for each in found:
                each.close()


def at_once(work: Callable[[RadioPhone], T], guests: Sequence[RadioPhone]) -> list[T]:
    """Let all of them do something at the same time; raises the first error."""
    with ThreadPoolExecutor(len(guests)) as pool:
        return list(pool.map(work, guests))


def come_in(guests: Sequence[RadioPhone], ssid: str, passphrase: str = "") -> float:
    """All of them join and get an address, each its own; return the seconds it took."""
    began_s = time.monotonic()
    at_once(lambda phone: phone.associate(ssid, passphrase), guests)
    leases = at_once(lambda phone: phone.join(), guests)
    assert len({each.address for each in leases}) == len(guests)
    assert {each.router for each in leases} == {ADDRESS}
    return time.monotonic() - began_s


def system_of(phone: RadioPhone) -> Apple | Android:
    """The system that it runs, all evening: every other phone, from the first one on, is Apple's."""
    return Apple(phone) if phone.number % 2 == 0 else Android(phone)


def captured_and_booked(phone: RadioPhone, slug: str) -> str:
    """From the system's question to a ticket; return the address of its page."""
    system = system_of(phone)
    assert system.check() == CAPTIVE
    window = system.window()
    assert window.at is not None and window.at.url == f"{PORTAL}/welcome", window.at
    window.send("/welcome", go="enter")
    tickets = window.book(slug)
    assert tickets.status == 200, tickets
    if system.closes:
        window.open("/welcome")
        window.send("/welcome", go="accept")
    assert system.check() == OPEN
    return tickets.url


def booked_again(phone: RadioPhone, slug: str) -> None:
    """A phone that came in earlier this evening is not asked a second time; its browser books."""
    assert system_of(phone).check() == OPEN
    browser = phone.view()
    browser.open(PORTAL)
    tickets = browser.book(slug)
    assert tickets.status == 200, tickets


def reaches_nothing_else(
    phone: RadioPhone, beyond: Sequence[tuple[str, int]], behind: Sequence[tuple[str, int]] = ()
) -> None:
    """Neither another service of the device, which refuses at once, nor what lies ``behind`` it: nobody takes it there, or refuses."""
    for address, port in beyond:
        assert not phone.reaches(address, port, 10), f"a guest reaches {address}:{port}"
    for address, port in behind:
        with contextlib.suppress(TimeoutError):
            assert not phone.reaches(address, port, 10), f"a guest reaches {address}:{port}"


def hears(one: RadioPhone, other: RadioPhone) -> bool:
    """Whether a ping of one phone finds another on the Wi-Fi."""
    assert other.lease is not None
    words = one.namespace.command("ping", "-c", "2", "-W", "3", other.lease.address)
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
