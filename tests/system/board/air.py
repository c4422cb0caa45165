"""Runs in the booted image: a phone on the hotspot, in a network of its own, through which the host comes to the portal over the air.

    air.py SSID PORT        as root, in the image: moves the second radio and the test's network card into the phone's network
    air.py inside SSID PORT in that network: joins, asks for an address, and passes connections to PORT on to the portal
    air.py ask URL TRUST    in that network, later: looks URL up as the phone does, asks for it over HTTPS, believing the authority in the file
                            TRUST alone, and prints the answer

Standard library and tests.support.dhcp only. Nothing of the device's own network, firewall or settings is touched.
"""

import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.support import dhcp, dns

NETWORK, RADIO, WIRE = "phone", "wlan1", "52:54:00:6d:71:02"
HERE = "10.0.3.15/24"
DEVICE = "192.168.4.1"
PIECE = 65536


def main():
    """Make the phone, then become it; or ask as it."""
    if sys.argv[1] == "ask":
        return ask(*sys.argv[2:])
    ssid, port = sys.argv[-2:]
    if sys.argv[1] == "inside":
        return inside(ssid, int(port))
    subprocess.run(["ip", "netns", "add", NETWORK], check=False)
    subprocess.run(["modprobe", "-q", "mac80211_hwsim"], check=False)
    # Cards get their names while a board boots, and it may just have begun.
    subprocess.run(["udevadm", "settle", "--timeout=120"], check=True)
    radio = Path(f"/sys/class/net/{RADIO}/phy80211/name").read_text().strip()
    subprocess.run(["iw", "phy", radio, "set", "netns", "name", NETWORK], check=True)
    for each in Path("/sys/class/net").iterdir():
        if (each / "address").read_text().strip() == WIRE:
            subprocess.run(["ip", "link", "set", each.name, "netns", NETWORK], check=True)
            os.execvp("ip", ["ip", "netns", "exec", NETWORK, sys.executable, __file__, "inside", ssid, str(port)])
    raise SystemExit("the test's network card is missing")


def inside(ssid, port):
    """Join and serve until the power goes."""
    ip("link", "set", "lo", "up")
    wire = next(name for _, name in socket.if_nameindex() if name not in {"lo", RADIO})
    ip("address", "add", HERE, "dev", wire)
    ip("link", "set", wire, "up")
    # A phone's own client of DHCP hears what comes from an address that it has no way to yet; this namespace began with the device's rules.
    for name in ("all", RADIO):
        Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("0")
    hardware = "02:" + ":".join(f"{each:02x}" for each in secrets.token_bytes(5))
    ip("link", "set", RADIO, "address", hardware)
    ip("link", "set", RADIO, "up")
    while "Connected" not in said("iw", "dev", RADIO, "link"):
        said("iw", "dev", RADIO, "connect", ssid)
        time.sleep(1)
    lease = dhcp.ask(RADIO, hardware, patience_s=8)
    ip("address", "add", f"{lease.address}/{lease.prefix}", "dev", RADIO)
    print(f"captive portal: {lease.captive_portal}", flush=True)
    print(f"joined as {lease.address} at {lease.router}", flush=True)
    with socket.create_server((HERE.split("/", maxsplit=1)[0], port), backlog=64) as door:
        while True:
            guest, _ = door.accept()
            threading.Thread(target=passed_on, args=(guest, lease.router), daemon=True).start()


def ask(url, trust):
    """Print status, headers and body. What phones ask of an authority beyond its signature is not what is tested here."""
    parts = urlsplit(url)
    [address] = dns.ask(DEVICE, parts.hostname, dns.A).addresses
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(trust)
    with (
        socket.create_connection((address, 443), 60) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as line,
    ):
        line.sendall(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.hostname}\r\n\r\n".encode())
        print(line.makefile(encoding="utf-8").read())


def passed_on(guest, portal):
    """Join a connection of the host's with one of the phone's."""
    try:
        with guest, socket.create_connection((portal, 80), 30) as air:
            back = threading.Thread(target=copy, args=(air, guest), daemon=True)
            back.start()
            copy(guest, air)
            back.join(60)
    except OSError as error:
        print(f"not passed on: {error}", flush=True)


def copy(source, target):
    """Copy one direction to its end."""
    try:
        while piece := source.recv(PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def ip(*words: str) -> None:
    """Run ip(8)."""
    subprocess.run(["ip", *words], check=True)


def said(*words: str) -> str:
    """What a program printed, whatever came of it."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    main()
