"""``marquee certificate``: says whether phones will believe the portal's certificate, and has DHCP say so only while they do.

DNS leads the certificate's name to the portal, and each name that the cloud has handed a certificate for, also where it has ended.

A timer runs it. Option 114 (RFC 8910) sends phones to an address over HTTPS; with an expired certificate they would find nothing
there, while without the option they find the portal by themselves.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from appliance.services import certificates
from appliance.services.clock import system_clock
from appliance.settings import PortalSettings, Settings
from mqtt_bridge.protocol.portal_pairs import is_public_name

API = "/.well-known/captive-portal"


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Exit status 0: good; 1: not."""
    portal, data = settings.portal, settings.device.data
    now = system_clock(settings.clock.mode)()
    if data.is_dir():
        certificates.remember(data, now)
    path = Path(portal.certificate) if portal.certificate else None
    found = certificates.judge(path, portal.secure_url, now, data)
    until = f"valid until {datetime.fromtimestamp(found.until_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    print(f"{portal.secure_url}: {until}" if found.good else f"certificate: {found.why}")
    option = f'114,"{portal.secure_url}{API}"\n' if found.good else "# no certificate that phones believe\n"
    lines = "".join(f"{given.address} {name}\n" for name in _names(portal))
    # The name first: whoever is told of it must find it.
    wanted = {given.hosts: lines, given.options: option}
    told = _tell({path: text for path, text in wanted.items() if path is not None}, given.reload)
    return 0 if found.good and told else 1


def _names(portal: PortalSettings) -> list[str]:
    """Each name under which the proxy may serve the portal over HTTPS."""
    here = {path.stem for path in Path(portal.handed_folder).glob("*.pem")} if portal.handed_folder else set()
    return sorted(filter(is_public_name, here | {urlsplit(portal.secure_url).hostname or ""}))


def _tell(wanted: dict[Path, str], pid_file: Path | None) -> bool:
    """Write dnsmasq's files where they are not so yet, and have it read them; False if that failed."""
    changed = {path: text for path, text in wanted.items() if _before(path) != text}
    try:
        for path, text in changed.items():
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            draft.write_text(text, "utf-8")
            draft.chmod(0o644)
            draft.replace(path)
        if changed and pid_file is not None:
            os.kill(int(pid_file.read_text("ascii")), signal.SIGHUP)
    except (OSError, ValueError) as error:
        # Once more the next time: what was not read must not look as if it was.
        for path in changed:
            path.unlink(missing_ok=True)
        print(f"certificate: dnsmasq could not be told: {error}", file=sys.stderr)
        return False
    return True


def _before(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return None
