"""Programs of the system that some tests need, with the Debian package that brings each."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {
    "chromium": "chromium",
    "mosquitto": "mosquitto",
    "dnsmasq": "dnsmasq-base",
    "fc-match": "fontconfig fonts-dejavu-core",
    "ip": "iproute2",
    "nft": "nftables",
    "nginx": "nginx-light",
    "sfdisk": "fdisk",
    "systemctl": "systemd",
}


def program(name: str) -> str:
    """Return the path of a program named in ``PACKAGES``; skip the test, saying what to install, where it is missing."""
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    return path
