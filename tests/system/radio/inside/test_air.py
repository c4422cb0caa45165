"""An evening on the air, in order: before the device is set up, open, full, killed, with a passphrase, with a second Wi-Fi and with a modem as its uplink."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.radio.inside import carrier
from tests.system.radio.inside.device import AS_MARQUEE, OTHER, SECURE, Device, ask, hotspot_row, on_air
from tests.system.radio.inside.upstream import GATEWAY, NAME, PASSPHRASE, SERVICE, Upstream
from tests.system.radio.scenario import (
    ADDRESS,
    CATCH,
    RadioPhone,
    Refused,
    at_once,
    booked_again,
    captured_and_booked,
    come_in,
    hears,
    reaches_nothing_else,
    run,
    until,
)

SSID, KEY = "Stadthalle Süd", "nur fuer Gaeste"
LIMIT = 20
OPEN = ("[hotspot]", 'country = "DE"', f'ssid = "{SSID}"')


def main_pid(unit: str) -> int:
    return int(run("systemctl", "show", "--value", "--property=MainPID", unit))


def test_the_units_of_the_role_run_before_the_device_is_set_up(device: Device) -> None:
    for unit in ("hostapd", "marquee-dnsmasq", "nftables", "systemd-networkd"):
        assert run("systemctl", "is-active", f"{unit}.service").strip() == "active"
    assert "marquee_hotspot" in run("nft", "list", "tables") and "marquee_host" in run("nft", "list", "tables")
    status = ask("STATUS")
    assert "ssid[0]=Marquee setup " in status and "channel=6" in status
    assert f"inet {ADDRESS}/22" in run("ip", "address", "show", "dev", "wlan0")
    # Neither as root nor readable by anybody else.
    assert f"Uid:\t{_uid('marquee')}" in Path(f"/proc/{main_pid('hostapd.service')}/status").read_text()
    assert f"Uid:\t{_uid('dnsmasq')}" in Path(f"/proc/{main_pid('marquee-dnsmasq.service')}/status").read_text()
    assert Path("/run/marquee-hotspot/hostapd.conf").stat().st_mode & 0o777 == 0o600


def _uid(name: str) -> str:
    return run("id", "-u", name).strip()


def test_twenty_phones_join_at_once_and_are_captured(
    device: Device, guests: list[RadioPhone], figure: Callable[[str], None]
) -> None:
    device.provision(*OPEN)
    assert "country DE" in run("iw", "reg", "get")
    took_s = come_in(guests[:LIMIT], SSID)
    figure(f"{LIMIT} phones on the Wi-Fi with an address each: {took_s:.1f} s")
    for phone in guests[:LIMIT]:
        assert phone.lease is not None
        assert phone.lease.captive_portal == f"https://{SECURE}/.well-known/captive-portal"
        assert phone.lease.life_s == 30 * 60
        assert list(phone.resolve("example.org").addresses) == [CATCH]


def test_each_of_them_books_a_ticket(guests: list[RadioPhone], figure: Callable[[str], None]) -> None:
    began_s = time.monotonic()
    pages = at_once(lambda phone: captured_and_booked(phone, "bench"), guests[:LIMIT])
    assert len(set(pages)) == LIMIT
    figure(f"from the system's first question to {LIMIT} tickets, all at once: {time.monotonic() - began_s:.1f} s")


def test_the_phone_after_the_limit_is_refused_and_staff_are_told(guests: list[RadioPhone]) -> None:
    full = f"{LIMIT} of {LIMIT} phones are on the Wi-Fi: it is full"
    until(lambda: hotspot_row()[1].startswith(full), "staff see that it is full", 60)
    with pytest.raises(Refused):
        guests[LIMIT].associate(SSID, limit_s=15)
    until(lambda: hotspot_row() == ("degraded", f"{full}; 1 more could not come in."), "staff see who was refused", 60)
    doctor = [sys.executable, "-m", "appliance.cli", "doctor", "--json"]
    said = subprocess.run([*AS_MARQUEE, *doctor], capture_output=True, text=True, check=False)
    (finding,) = (each for each in json.loads(said.stdout) if each["check"] == "hotspot")
    assert finding["state"] == "warn" and full in finding["detail"]


def test_guests_reach_nothing_but_the_portal_and_never_each_other(guests: list[RadioPhone]) -> None:
    first, second = guests[:2]
    run("ip", "link", "add", "up0", "type", "dummy")
    run("ip", "address", "add", "203.0.113.1/24", "dev", "up0")
    run("ip", "link", "set", "up0", "up")
    reaches_nothing_else(first, [(ADDRESS, OTHER), (ADDRESS, 22), (CATCH, 443), ("203.0.113.1", OTHER)])
    assert not hears(first, second)


def test_it_is_the_access_point_that_keeps_phones_apart(guests: list[RadioPhone]) -> None:
    """Otherwise nothing would be shown by their not hearing each other."""
    first, second = guests[:2]
    file = Path("/run/marquee-hotspot/hostapd.conf")
    assert "ap_isolate=1" in file.read_text()
    assert ask("SET ap_isolate 0") == "OK"
    assert ask("RELOAD") == "OK"
    on_air()
    come_in([first, second], SSID)
    assert hears(first, second)
    run("systemctl", "restart", "hostapd.service", limit_s=120)
    on_air()
    come_in([first, second], SSID)
    assert not hears(first, second)


def test_a_killed_access_point_is_back_and_so_are_the_phones(
    guests: list[RadioPhone], figure: Callable[[str], None]
) -> None:
    before = main_pid("hostapd.service")
    began_s = time.monotonic()
    os.kill(before, signal.SIGKILL)
    until(lambda: main_pid("hostapd.service") not in {0, before}, "systemd starts hostapd again", 120)
    on_air()
    figure(f"killed hostapd on the air again: {time.monotonic() - began_s:.1f} s")
    come_in(guests[:2], SSID)
    until(lambda: hotspot_row()[0] == "ready", "staff see that it is back", 60)


def test_staff_see_that_the_access_point_does_not_run(guests: list[RadioPhone]) -> None:
    run("systemctl", "stop", "hostapd.service", limit_s=120)
    until(lambda: hotspot_row()[0] == "fault" and "hostapd does not run" in hotspot_row()[1], "staff see a fault", 60)
    run("systemctl", "start", "hostapd.service", limit_s=120)
    on_air()


def test_with_a_passphrase_only_who_knows_it_comes_in(device: Device, guests: list[RadioPhone]) -> None:
    key = Path("/var/lib/marquee/wifi.key")
    key.write_text(f"{KEY}\n")
    key.chmod(0o600)
    device.provision(*OPEN, f'passphrase_file = "{key}"')
    come_in(guests[:2], SSID, KEY)
    booked_again(guests[1], "bench")
    with pytest.raises(Refused):
        guests[2].associate(SSID, "another one", limit_s=20)
    for each in guests[:2]:
        each.leave()


def test_the_journal_does_not_say_which_phones_were_here(guests: list[RadioPhone]) -> None:
    """Those that came in, the one that was refused, and the one with a wrong passphrase."""
    units = ("_SYSTEMD_UNIT=hostapd.service", "_SYSTEMD_UNIT=marquee-dnsmasq.service")
    written = run("journalctl", "-b", "-o", "cat", "--no-pager", *units).lower()
    assert "ap-enabled" in written, "what else they say is there"
    assert [each.hardware for each in guests if each.hardware in written] == []


def test_a_second_wifi_is_an_uplink_that_may_come_and_go(
    device: Device, guests: list[RadioPhone], outside: Upstream, figure: Callable[[str], None]
) -> None:
    key = Path("/var/lib/marquee/uplink.key")
    key.write_text(f"{PASSPHRASE}\n")
    key.chmod(0o600)
    device.provision(*OPEN, "[uplink]", f'wifi_ssid = "{NAME}"', f'wifi_passphrase_file = "{key}"')
    outside.up()
    run("systemctl", "restart", "marquee-uplink-wifi.service", limit_s=120)

    def route() -> str:
        return run("ip", "route", "show", "default")

    until(lambda: f"default via {GATEWAY} dev wlan1" in route() and "metric 300" in route(), "an uplink", 180)
    with socket.create_connection((GATEWAY, SERVICE), 10):
        come_in(guests[:1], SSID)
    reaches_nothing_else(guests[0], [], [(GATEWAY, SERVICE)])
    outside.down()
    until(lambda: "wlan1" not in route(), "the uplink is lost", 120)
    booked_again(guests[0], "bench")
    began_s = time.monotonic()
    outside.namespace.ip("link", "set", outside.radio.interface, "up")
    outside.up()
    until(lambda: f"default via {GATEWAY} dev wlan1" in route(), "the uplink is back", 240)
    figure(f"an uplink by a second Wi-Fi used again: {time.monotonic() - began_s:.1f} s")


def test_a_sim_card_is_an_uplink_that_may_come_and_go(
    device: Device, guests: list[RadioPhone], figure: Callable[[str], None]
) -> None:
    device.provision(*OPEN, "[uplink]", f'modem_apn = "{carrier.APN}"')
    with carrier.carrier() as network:
        run("systemctl", "restart", "marquee-uplink-modem.service", limit_s=120)
        found = f"default via {carrier.GATEWAY} dev {carrier.INTERFACE}"

        def route() -> str:
            return run("ip", "route", "show", "default")

        until(lambda: found in route() and "metric 200" in route(), "an uplink by the modem", 180)
        assert f"inet {carrier.ADDRESS}/24" in run("ip", "address", "show", "dev", carrier.INTERFACE)
        assert "mtu 1430" in run("ip", "link", "show", "dev", carrier.INTERFACE)
        until(lambda: carrier.DNS in run("resolvectl", "dns", carrier.INTERFACE), "its names are asked for there", 60)
        with socket.create_connection((carrier.GATEWAY, carrier.SERVICE), 10):
            come_in(guests[:1], SSID)
        # The firewall alone must do, should the kernel ever forward; the way back is there.
        run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        reaches_nothing_else(guests[0], [], [(carrier.GATEWAY, carrier.SERVICE)])
        run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
        began_s = time.monotonic()
        network.drop()
        until(lambda: found not in route(), "the ended connection is no way any more", 120)
        until(lambda: found in route(), "it is connected anew", 180)
        figure(f"an uplink by a modem used again: {time.monotonic() - began_s:.1f} s")
        network.plug(there=False)
        until(lambda: "there is no modem" in said(), "the unit says that there is none", 120)
        booked_again(guests[0], "bench")
        network.plug(there=True)
        until(lambda: found in route(), "the modem that was put back is used", 180)
        run("systemctl", "stop", "marquee-uplink-modem.service", limit_s=60)


def said() -> str:
    """The last words of the modem's unit itself; systemd has some of its own."""
    unit = "_SYSTEMD_UNIT=marquee-uplink-modem.service"
    return run("journalctl", "-b", unit, "-o", "cat", "-n", "1", "--no-pager")


@pytest.mark.parametrize("way", ["wifi", "modem"])
def test_a_device_without_such_an_uplink_leaves_its_unit_alone(device: Device, way: str) -> None:
    unit = f"marquee-uplink-{way}.service"
    device.provision(*OPEN)
    run("systemctl", "stop", unit)
    subprocess.run(["systemctl", "start", unit], check=False, timeout=120)
    assert run("systemctl", "show", "--value", "--property=Result", unit).strip() == "exec-condition"
    assert run("systemctl", "--failed", "--no-legend", "--plain").strip() == ""
