"""Somebody else's Wi-Fi that leads to the internet: an access point with a passphrase and a DHCP server, in a network of its own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.namespaces import Namespace, namespaces
from tests.system.radio.scenario import Radio, run

NAME, PASSPHRASE = "Haus am Platz", "of the neighbours"
# Something answers at its gateway. Not a port of names or pages: such questions of guests come to the device, whomever they ask.
GATEWAY, SERVICE = "10.9.9.1", 8091
_HOSTAPD = f"""\
interface={{interface}}
driver=nl80211
ssid={NAME}
hw_mode=g
channel=11
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase={PASSPHRASE}
"""


@dataclass
class Upstream:
    """The access point: ``down`` and ``up`` as often as a test likes."""

    namespace: Namespace
    radio: Radio
    hostapd: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Switch it on."""
        file = Path("/run/upstream.conf")
        file.write_text(_HOSTAPD.format(interface=self.radio.interface))
        self.hostapd = subprocess.Popen(self.namespace.command("hostapd", str(file)), stdout=subprocess.DEVNULL)

    def down(self) -> None:
        """Switch it off, as somebody who pulls its plug does."""
        if self.hostapd is not None:
            self.hostapd.kill()
            self.hostapd.wait()
            self.hostapd = None
            self.namespace.ip("link", "set", self.radio.interface, "down")


@contextlib.contextmanager
def upstream(radio: Radio) -> Iterator[Upstream]:
    """Have that access point; it is not on yet."""
    with namespaces("upstream") as (namespace,):
        run("iw", "phy", radio.phy, "set", "netns", "name", namespace.name)
        namespace.ip("address", "add", f"{GATEWAY}/24", "dev", radio.interface)
        words = [
            "dnsmasq", "--keep-in-foreground", "-C", "/dev/null", "--port=0", f"--interface={radio.interface}",
            "--bind-dynamic", "--dhcp-range=10.9.9.10,10.9.9.50,1h", "--dhcp-leasefile=/run/upstream.leases",
            "--pid-file=",
        ]  # fmt: skip
        dhcp = subprocess.Popen(namespace.command(*words))
        served = namespace.command(
            "python3", "-m", "http.server", str(SERVICE), "--bind", GATEWAY, "--directory", "/run/netns"
        )
        service = subprocess.Popen(served, stderr=subprocess.DEVNULL)
        made = Upstream(namespace, radio)
        try:
            yield made
        finally:
            made.down()
            for each in (dhcp, service):
                each.terminate()
                each.wait(10)
