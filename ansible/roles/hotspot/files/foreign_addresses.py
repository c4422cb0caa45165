"""Prints interfaces that would lose their address if networkd took them, one a line: the name, then the inputs of the role that take it.

Usage: foreign_addresses.py FILES     `hotspot_networks` of the role as JSON: [{"file": ..., "input": ..., "names": [...]}]

An address may go where networkd takes an interface: it removes what others put there and asks by DHCP. So one is safe that networkd got
by itself, and one on an interface that networkd has by a file that goes on winning.
"""

import fnmatch
import ipaddress
import json
import subprocess
import sys

# Where networkd says that it has an address from a file, or from somebody else.
NOT_BY_ITSELF = {"foreign", "static"}


def said(*command):
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def managed():
    """What networkd knows of each interface; nothing where it does not run."""
    if subprocess.run(["systemctl", "is-active", "--quiet", "systemd-networkd.service"], check=False).returncode:
        return {}
    return {each["Name"]: each for each in said("networkctl", "--json=short", "list").get("Interfaces", [])}


def lasting(interface):
    """Its addresses, but for those that IPv6 finds anew wherever it is."""
    for each in interface.get("addr_info", []):
        if each.get("scope") == "global" and not (each["family"] == "inet6" and each.get("dynamic")):
            yield ipaddress.ip_address(each["local"])


def at_risk(interface, known, file):
    """Whether an address of it goes when networkd takes it by this file."""
    used = known.get("NetworkFile", "").rpartition("/")[2]
    if used and used <= file:
        return False
    own = {
        ipaddress.ip_address(bytes(each["Address"]))
        for each in known.get("Addresses", [])
        if each["ConfigSource"] not in NOT_BY_ITSELF
    }
    return any(address not in own for address in lasting(interface))


def main(files):
    known = managed()
    for interface in said("ip", "-json", "address"):
        names = [interface["ifname"], *interface.get("altnames", [])]
        # What is to hang on a bus as well is named like its file by the kernel or udev; another card has such a name beside its own.
        taken = [
            each
            for each in files
            if each["input"]
            and any(fnmatch.filter(names[:1] if each.get("bus") else names, one) for one in each["names"])
        ]
        taken.sort(key=lambda each: each["file"])
        if taken and at_risk(interface, known.get(interface["ifname"], {}), taken[0]["file"] + ".network"):
            print(interface["ifname"], *(each["input"] for each in taken))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
