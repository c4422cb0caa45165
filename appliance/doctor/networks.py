"""Whether the ways to the cloud are apart from the guests' Wi-Fi, read from the kernel's table of routes."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

from appliance.doctor.findings import Finding, ok, warn
from appliance.settings import Settings

ROUTES = Path("/proc/net/route")
# A route of this kind leads on to somebody; the others are what an interface is in itself (linux/route.h).
_GATEWAY = 0x2


def uplinks(settings: Settings, routes: Path = ROUTES) -> Iterator[Finding]:
    """Whether an uplink has addresses of the hotspot's network, where an access point says which interface that is."""
    address = urlsplit(settings.desk.hotspot)
    interface = Path(address.path).name if address.scheme == "hostapd" else ""
    if not interface or not routes.exists():
        return
    found = list(_networks(routes.read_text("ascii")))
    guests = [network for name, network in found if name == interface]
    clashes = [
        (name, network, ours)
        for name, network in found
        for ours in guests
        if name != interface and network.overlaps(ours)
    ]
    for name, network, ours in clashes:
        yield warn(
            "network",
            f"{name} leads to {network}, and guests are in {ours}: this device cannot tell who is where",
            f"Give the network of that uplink other addresses than {ours}, or the hotspot with hotspot_address of the role.",
        )
    if guests and not clashes:
        yield ok("network", f"guests are in {guests[0]}, and no uplink is")


def _networks(table: str) -> Iterator[tuple[str, IPv4Network]]:
    """The networks that interfaces are in."""
    for line in table.splitlines()[1:]:
        name, destination, _, flags, _, _, _, mask, *_ = line.split()
        if int(mask, 16) and not int(flags, 16) & _GATEWAY:
            yield name, IPv4Network((_address(destination), str(_address(mask))))


def _address(digits: str) -> IPv4Address:
    """The kernel prints each as a number of this processor's, which of ours are all little-endian."""
    return IPv4Address(bytes.fromhex(digits)[::-1])
