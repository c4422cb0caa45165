"""Who has which address on the hotspot, as dnsmasq wrote it down."""

from __future__ import annotations

from pathlib import Path
from threading import Lock


class Leases:
    """Hardware addresses by IP address, read again whenever the file changed; empty without a file.

    A line of dnsmasq's file is ``expiry mac address hostname client-id`` (man dnsmasq, --dhcp-leasefile). Expired lines are
    dnsmasq's to remove: this device's clock may not be trusted to judge them.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._by_address: dict[str, str] = {}
        self._lock = Lock()

    def hardware_of(self, address: str) -> str | None:
        """Return the hardware address that holds ``address``, or None."""
        if self._path is None or not address:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        with self._lock:
            if version != self._seen:
                self._by_address = _parse(self._path)
                self._seen = version
            return self._by_address.get(address)


def _parse(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    return {each[2]: each[1].lower() for each in words if len(each) >= 4 and each[0].isdigit()}
