"""The files of a Mosquitto: templates with lines in double braces, filled in here or by whatever sets up the broker's machine.

Filling in is all that happens, so any tool that knows ``{{ name }}`` makes the same files from the same values.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mqtt_bridge.protocol import topics

FOLDER = Path(__file__).parent
CONFIG, ACCESS_LIST = "mosquitto.conf", "mosquitto.acl"
# A device's name begins with a letter or digit, so this common name can never be one's.
RECONCILER = "@reconciler"
_BLANK = re.compile(r"{{ (\w+) }}")


@dataclass(frozen=True)
class BrokerFiles:
    """What the templates leave open. Paths are where the broker finds the files, which need not be this machine's.

    ``revoked_certificates`` is the authority's revocation list (PEM, may be empty but must not have run out);
    ``shut_out`` names devices that may do nothing from the next SIGHUP on.
    """

    org: str
    ca: str
    certificate: str
    key: str
    revoked_certificates: str
    access_list: str = "/etc/mosquitto/mosquitto.acl"
    port: int = 8883
    bind: str = "0.0.0.0"
    data: str = "/var/lib/mosquitto"
    log: str = "stdout"
    reconciler: str = RECONCILER
    shut_out: tuple[str, ...] = ()


def render(files: BrokerFiles) -> dict[str, str]:
    """Return the texts of ``mosquitto.conf`` and ``mosquitto.acl`` by file name.

    Raises ``ValueError`` naming a value that would not stay in its line or could pass for a wildcard.
    """
    topics.checked(files.org, "org")
    values = {field.name: getattr(files, field.name) for field in dataclasses.fields(files)}
    lines = [f"user {topics.checked(each, 'device')}\ntopic deny #" for each in sorted(files.shut_out)]
    values["shut_out"] = "\n".join(lines) or "# (nobody)"
    for name in (
        "ca",
        "certificate",
        "key",
        "revoked_certificates",
        "access_list",
        "bind",
        "data",
        "log",
        "reconciler",
    ):
        if not values[name] or any(ord(char) < 0x21 or char in "+#%" for char in values[name]):
            msg = f"{name} {values[name]!r} cannot stand in a line of Mosquitto's files; use a name without spaces, '+', '#', '%'"
            raise ValueError(msg)
    if not 1 <= files.port <= 65535:
        msg = f"port {files.port} is not a port"
        raise ValueError(msg)
    return {name: fill((FOLDER / name).read_text("utf-8"), values) for name in (CONFIG, ACCESS_LIST)}


def fill(template: str, values: dict[str, object]) -> str:
    """Return ``template`` with every ``{{ name }}`` replaced; raises ``KeyError`` for a name without a value."""
    return _BLANK.sub(lambda blank: str(values[blank[1]]), template)


def write(folder: Path, files: BrokerFiles) -> Iterable[Path]:
    """Write both files into ``folder`` (made if missing) and return their paths; neither holds a secret."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render(files).items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in (CONFIG, ACCESS_LIST)]
