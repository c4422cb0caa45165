"""A mobile network: a modem on the system's bus, and what its interface leads to, in a network of its own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.namespaces import Namespace, namespaces
from tests.system.radio.scenario import run, until

TEMPLATE = Path(__file__).with_name("modem_template.py")
# What the template tells ``mmcli``; that module itself needs the bus's own Python libraries.
INTERFACE, APN, ADDRESS, GATEWAY, DNS = "wwan0", "internet.test", "10.64.64.64", "10.64.64.1", "10.64.64.53"
SERVICE = 8092
_NAME, _PATH, _MOCK = "org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1", "org.freedesktop.DBus.Mock"


class Carrier:
    """The network and the modem that is in it."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def drop(self) -> None:
        """End the connection, as networks do at night."""
        self._tell("Drop")

    def plug(self, *, there: bool) -> None:
        """Pull the modem out, with its interface, or put it back."""
        if not there:
            run("ip", "link", "delete", INTERFACE)
        else:
            self.wire()
        self._tell("Plug", "b", "true" if there else "false")

    def wire(self) -> None:
        """Make the modem's interface, and the gateway at its other end."""
        run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", "core", "netns", self._namespace.name)
        self._namespace.ip("address", "add", f"{GATEWAY}/24", "dev", "core")
        self._namespace.ip("link", "set", "core", "up")
        self._namespace.ip("route", "add", "default", "via", ADDRESS)

    def answers(self) -> bool:
        """Whether a modem is shown."""
        return "/Modem/0" in run("mmcli", "--list-modems")

    def _tell(self, method: str, *arguments: str) -> None:
        run("busctl", "call", _NAME, _PATH, _MOCK, method, *arguments)


@contextlib.contextmanager
def carrier() -> Iterator[Carrier]:
    """Have that network, in the place of the ModemManager that would look for real modems."""
    run("systemctl", "mask", "--runtime", "--now", "ModemManager.service", limit_s=120)
    with namespaces("carrier") as (namespace,):
        made = Carrier(namespace)
        made.wire()
        # The bus's libraries are those of the system's own Python.
        words = ["/usr/bin/python3", "-m", "dbusmock", "--system", "-t", str(TEMPLATE)]
        shown = subprocess.Popen(words, stdout=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        served = namespace.command(
            "python3", "-m", "http.server", str(SERVICE), "--bind", GATEWAY, "--directory", "/run/netns"
        )
        service = subprocess.Popen(served, stderr=subprocess.DEVNULL)
        try:
            until(made.answers, "mmcli finds the modem", 120)
            yield made
        finally:
            for each in (shown, service):
                each.terminate()
                each.wait(10)
            subprocess.run(["ip", "link", "delete", INTERFACE], capture_output=True, check=False)
            run("systemctl", "unmask", "--runtime", "ModemManager.service", limit_s=120)
