"""What the role `hotspot` promises guests and operators before any of it runs."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

import pytest

from tests.support.roles import defaults, render

MEET_PHONES = ("hostapd.service.conf.j2", "marquee-dnsmasq.service.j2")
PHONE = "8a:3F:00:00:02:c1"
# As hostapd 2.10 and dnsmasq 2.91 put it.
OF_A_PHONE = (
    f"wlan0: STA {PHONE} IEEE 802.11: associated (aid 1)",
    f"wlan0: AP-STA-CONNECTED {PHONE}",
    f"wlan0: AP-STA-POSSIBLE-PSK-MISMATCH {PHONE}",
    f"wlan0: STA {PHONE} IEEE 802.11: did not acknowledge authentication response",
    f"dnsmasq-dhcp[712]: DHCPNAK(wlan0) 192.168.5.9 {PHONE} address in use",
    f"dnsmasq-dhcp[712]: DHCPDISCOVER(wlan0) {PHONE} no address available",
)
OF_THE_ACCESS_POINT = (
    "wlan0: interface state UNINITIALIZED->DISABLED",
    "wlan0: AP-ENABLED ",
    "nl80211: Could not configure driver mode",
    "nl80211: deinit ifname=wlan0 disabled_11b_rates=0",
    "Could not set channel for kernel driver",
    "Line 7: invalid WPA passphrase '***'",
    "hotspot.channel 44 needs a country",
    "dnsmasq: failed to create listening socket for 192.168.4.1: Address already in use",
    "dnsmasq-dhcp: no address range available for DHCP request via wlan0",
)


def kept(template: str, line: str) -> bool:
    """Whether journald would keep a line of this unit's process (systemd.exec(5), LogFilterPatterns=)."""
    patterns = re.findall(r"^LogFilterPatterns=(.*)$", render("hotspot", template), re.MULTILINE)
    assert all(each.startswith("~") for each in patterns)
    return not any(re.search(each[1:], line) for each in patterns)


@pytest.mark.parametrize("template", MEET_PHONES)
def test_the_journal_hears_why_there_is_no_hotspot_and_never_which_phone_was_here(template: str) -> None:
    assert [line for line in OF_A_PHONE if kept(template, line)] == []
    assert [line for line in OF_THE_ACCESS_POINT if not kept(template, line)] == []
    text = render("hotspot", template)
    assert text.index("[Service]") < text.index("LogFilterPatterns=") < (text + "[Install]").index("[Install]")


def test_one_phone_holds_a_quarter_of_the_addresses_at_most_whatever_it_asks_for_in_whosoever_name() -> None:
    """The firewall counts its words, and each may take an address for the life of a DHCP lease."""
    role = defaults("hotspot")
    addresses = int(IPv4Address(role["hotspot_last"])) - int(IPv4Address(role["hotspot_first"])) + 1
    taken = role["hotspot_dhcp_per_minute"] * role["hotspot_lease_minutes"] + role["hotspot_dhcp_burst"]
    assert taken <= min(addresses, role["hotspot_most_leases"]) / 4
    assert f",{role['hotspot_lease_minutes']}m\n" in render("hotspot", "dnsmasq.conf.j2")
