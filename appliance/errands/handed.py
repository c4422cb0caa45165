"""The certificate that phones believe, where the cloud hands one out: judged, kept for the proxy, named in the device's settings.

Nothing of this makes an enrolment or a renewal fail: what goes wrong is said, and asked for again the next time.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from appliance.domain.clock import Now
from appliance.domain.setup import with_portal
from appliance.services import certificates, handed
from appliance.services import setting_up as files
from appliance.settings import Settings
from mqtt_bridge.enrolling import CloudUnreachable, Refused, WrongAuthority, ask_portal, load_or_make_key, request_for
from mqtt_bridge.protocol.portal_pairs import PortalPair


def keep(pair: PortalPair | None, folder: str, data: Path, now: Now) -> tuple[str, str] | None:
    """Put what came where the proxy looks for it, if it is good; return address and file for the settings, else None."""
    if pair is None or not folder:
        return None
    try:
        good, until_ms = handed.checked(pair, lambda found: certificates.late_ms(data, now, found))
        path, content = Path(folder) / f"{good.name}.pem", (good.key + good.certificate).encode()
        if not path.exists() or path.read_bytes() != content:
            # One file, so that certificate and key change together; the proxy reads it at each handshake.
            files.write_for_group(path, content)
            until = datetime.fromtimestamp(until_ms / 1000, UTC)
            print(f"enrol: the certificate of {good.name}, which phones believe, is new; it ends {until:%Y-%m-%d}")
    except (handed.Unusable, OSError) as error:
        _complain(f"the certificate for phones that came is not used: {error}")
        return None
    return f"https://{good.name}", str(path)


def ask_again(settings: Settings, now: Now) -> None:
    """Ask the cloud for what it hands out now. If that is nothing, what is there stays: it ends by itself."""
    broker, data = settings.broker, settings.device.data
    if not settings.portal.handed_folder:
        return
    try:
        csr = request_for(load_or_make_key(Path(broker.key)), settings.device.name)
        earliest = certificates.earliest(data, now)
        pair = ask_portal(settings.authority.url, Path(broker.ca).read_bytes(), csr, earliest)
    except (Refused, WrongAuthority, CloudUnreachable, OSError, ValueError) as error:
        _complain(f"there is no news of the certificate for phones: {error}")
        return
    portal = keep(pair, settings.portal.handed_folder, data, now)
    if portal is not None:
        _name(data / files.DEVICE, portal)


def _name(path: Path, portal: tuple[str, str]) -> None:
    try:
        before = path.read_text("utf-8")
        wanted = with_portal(before, portal)
        if wanted != before:
            files.write(path, wanted.encode())
            print(f"enrol: phones find this portal at {portal[0]} too, from the next boot on")
    except (OSError, ValueError) as error:
        _complain(f"{path} does not name the certificate for phones: {error}")


def _complain(words: str) -> None:
    print(f"enrol: {words}", file=sys.stderr)
