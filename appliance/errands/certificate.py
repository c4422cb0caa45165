"""``marquee certificate``: says whether phones will believe the portal's certificate, and has DHCP say so only while they do.

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
from typing import cast

from appliance.services import certificates
from appliance.services.clock import Mode, system_clock
from appliance.settings import Settings

API = "/.well-known/captive-portal"


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Exit status 0: good; 1: not."""
    portal, data = settings.portal, settings.device.data
    now = system_clock(cast(Mode, settings.clock.mode))()
    if data.is_dir():
        certificates.remember(data, now)
    path = Path(portal.certificate) if portal.certificate else None
    found = certificates.judge(path, portal.secure_url, now, data)
    until = f"valid until {datetime.fromtimestamp(found.until_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    print(f"{portal.secure_url}: {until}" if found.good else f"certificate: {found.why}")
    if given.options is not None:
        wanted = f'114,"{portal.secure_url}{API}"\n' if found.good else "# no certificate that phones believe\n"
        if not _tell(given.options, wanted, given.reload):
            return 1
    return 0 if found.good else 1


def _tell(options: Path, wanted: str, pid_file: Path | None) -> bool:
    """Write dnsmasq's options file if it is not so yet, and have dnsmasq read it; False if that failed."""
    try:
        if options.exists() and options.read_text("utf-8") == wanted:
            return True
        draft = options.with_name(f"{options.name}.{os.getpid()}")
        draft.write_text(wanted, "utf-8")
        draft.chmod(0o644)
        draft.replace(options)
        if pid_file is not None:
            os.kill(int(pid_file.read_text("ascii")), signal.SIGHUP)
    except (OSError, ValueError) as error:
        # Once more the next time: what was not read must not look as if it was.
        options.unlink(missing_ok=True)
        print(f"certificate: dnsmasq could not be told: {error}", file=sys.stderr)
        return False
    return True
