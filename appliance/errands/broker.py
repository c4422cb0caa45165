"""``marquee broker-config``: the configuration of a Mosquitto for this organisation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from appliance.settings import Settings


def add_broker(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the parser of the command; ``add(name, help, run)`` makes one."""
    command = add("broker-config", "Write the configuration of a Mosquitto for this organisation.", run)
    command.add_argument("--out", type=Path, metavar="DIR", required=True, help="write mosquitto.conf and .acl here")
    where = "where the broker finds "
    for name, file, what in (
        ("ca", "ca.pem", "the authority of all certificates"),
        ("certificate", "broker.pem", "its certificate"),
        ("key", "broker.key", "its private key"),
        ("revoked", "revoked.pem", "the authority's revocation list, which may be empty"),
    ):
        command.add_argument(
            f"--{name}",
            metavar="FILE",
            default=f"/etc/mosquitto/certs/{file}",
            help=f"{where}{what}; default: %(default)s",
        )
    command.add_argument("--bind", metavar="ADDRESS", default="0.0.0.0", help="address it listens on; default: all")
    command.add_argument("--port", type=int, metavar="P", default=8883, help="port it listens on; default: %(default)s")
    command.add_argument(
        "--state", metavar="DIR", default="/var/lib/mosquitto", help="where it keeps retained messages"
    )
    command.add_argument("--log", metavar="DEST", default="stdout", help="Mosquitto's log_dest; default: %(default)s")
    command.add_argument(
        "--shut-out",
        metavar="DEVICE",
        action="append",
        default=[],
        help="a device that may do nothing; may be repeated",
    )


def run(given: argparse.Namespace, settings: Settings) -> int:
    """Write the files and print their paths; exit status as in ``cli``."""
    from mqtt_bridge.broker import mosquitto

    files = mosquitto.BrokerFiles(
        org=settings.device.org,
        ca=given.ca,
        certificate=given.certificate,
        key=given.key,
        revoked_certificates=given.revoked,
        access_list=str(given.out.absolute() / mosquitto.ACCESS_LIST),
        port=given.port,
        bind=given.bind,
        data=given.state,
        log=given.log,
        shut_out=tuple(given.shut_out),
    )
    try:
        print("\n".join(str(path) for path in mosquitto.write(given.out, files)))
    except (ValueError, OSError) as error:
        print(f"broker-config: {error}", file=sys.stderr)
        return 1
    return 0
