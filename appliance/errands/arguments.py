"""The arguments of these commands; what they do is loaded when one is run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from appliance.settings import Settings

Add = Callable[..., argparse.ArgumentParser]
Command = Callable[[argparse.Namespace, Settings], int]


def add_commands(add: Add) -> None:
    """Add the parsers of these commands; ``add(name, help, run)`` makes one."""
    command = add("seal", "Close a lost or stolen device for good, after showing what that costs.", _run("seal"))
    command.add_argument("device", metavar="DEVICE")
    command.add_argument("--reason", metavar="TEXT", default="", help="written down with it")
    command.add_argument("--stolen", action="store_true", help="believe nothing it signs any more")
    _add_yes(command)
    command = add("release", "Sell in-doubt stock again, after showing how much could be sold twice.", _run("release"))
    command.add_argument("quota", metavar="QUOTA", help="id of the quota, or its name if no other has it")
    command.add_argument("number", metavar="N", type=int, help="how many tickets")
    _add_yes(command)
    command = add("answer-cancels", "Answer cancels that wait for a sealed door.", _run("answer_cancels"))
    command.add_argument("venue", metavar="VENUE", help="id of the venue whose door was sealed and not replaced")
    _add_yes(command)
    command = add("recover", "Read a sealed device's old card and count what it sold.", _run("recover"))
    command.add_argument("path", metavar="PATH", type=Path, help="a copy of its marquee.db, or the folder it is in")
    command.add_argument("--final", action="store_true", help="it is the card itself and will never be used again")
    command = add("badge", "Issue, list or revoke the badges of staff.", _run("badge"))
    command.add_argument("action", choices=("issue", "list", "revoke"))
    command.add_argument(
        "which", metavar="BADGE", nargs="?", default="", help="whose to issue, or the number to revoke"
    )
    command.add_argument("--png", metavar="FILE", type=Path, help="write the QR code of an issued badge here")
    command = add("backup", "Copy a database, while it is in use, to a file.", _run("backup"))
    command.add_argument("file", metavar="FILE", type=Path)
    command.add_argument("--device", action="store_true", help="this device's database instead of the cloud's")
    command = add("restore", "Put a backup back; stop the processes that use the database first.", _run("restore"))
    command.add_argument("file", metavar="FILE", type=Path, nargs="?", help="what `marquee backup` wrote")
    command.add_argument("--device", action="store_true", help="this device's database instead of the cloud's")
    command.add_argument("--from-log", action="store_true", help="there is no backup: begin with the list of devices")
    _add_yes(command)
    command = add(
        "rotate-web-key",
        "Seal pages' addresses with a fresh key; old links work on for a while.",
        _run("rotate_web_key"),
    )
    command.add_argument(
        "--overlap-days",
        metavar="N",
        type=int,
        default=30,
        help="how long old links go on working; default: %(default)s",
    )
    command.add_argument("--now", action="store_true", help="old links end at once: others may have the key")
    _add_yes(command)
    command = add("revoke-token", "End a token of this device's gateway before its time.", _run("revoke_token"))
    command.add_argument(
        "what", metavar="WHAT", help="the token, its serial, or a ticket's code for all of that ticket's"
    )
    _add_certificate(add)
    _add_radio(add)
    command = add("confirm-restore", "Grant again after a restore, once every device was heard.", _run("confirm"))
    _add_yes(command)


def _add_certificate(add: Add) -> None:
    command = add("certificate", "Say whether phones will believe the portal's certificate.", _certificate, logs=False)
    command.add_argument(
        "--options", metavar="FILE", type=Path, help="write DHCP option 114 for dnsmasq, or none, here"
    )
    command.add_argument("--hosts", metavar="FILE", type=Path, help="write the names on certificates for dnsmasq here")
    command.add_argument(
        "--address", metavar="IP", default="192.168.4.1", help="where those names lead; default: %(default)s"
    )
    command.add_argument(
        "--reload", metavar="FILE", type=Path, help="pid file of the dnsmasq that reads them on SIGHUP"
    )


def _add_radio(add: Add) -> None:
    command = add(
        "hotspot-config",
        "Write what hostapd is told at this device: the fleet's file and its own part.",
        _radio("hotspot_config"),
        logs=False,
    )
    _add_out(command)
    command.add_argument(
        "--regulatory",
        metavar="FILE",
        type=Path,
        default=Path("/lib/firmware/regulatory.db"),
        help="the kernel's list of countries and channels; default: %(default)s",
    )
    command = add(
        "uplink-config",
        "Write what leads this device to the internet beside a cable, if it is to use that.",
        _radio("uplink_config"),
        logs=False,
    )
    command.add_argument("way", choices=("wifi", "modem"))
    _add_out(command)


def _add_out(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", metavar="FILE", type=Path, required=True, help="write it here, for this user alone")


def add_enrolment(add: Add) -> None:
    """Add the commands by which a card becomes a device that the cloud knows."""
    _add_provision(add("provision", "Register a device of a venue with the cloud.", _provision))
    _add_authority(add("authority", "Give devices their certificates.", _authority))
    command = add("first-boot", "Take over the provisioning file of this card.", _first_boot, logs=False)
    command.add_argument(
        "--file",
        type=Path,
        metavar="FILE",
        default=Path("/boot/marquee/provisioning.toml"),
        help="default: %(default)s",
    )
    command.add_argument(
        "--ssh-keys", type=Path, metavar="FILE", help="write operators' keys of the file here, for sshd"
    )
    command.add_argument("--call-host", action="store_true", help="give this host the name of its device")
    command = add(
        "setup-screen",
        "Say on the console's screen how far this device is, until it is set up.",
        _setup_screen,
        logs=False,
    )
    command.add_argument(
        "--tty", type=Path, metavar="FILE", default=Path("/dev/tty1"), help="- is standard output; default: %(default)s"
    )
    command = add("enrol", "Get this device its certificate from the cloud, waiting for a network.", _enrol, logs=False)
    command.add_argument("--once", action="store_true", help="try once instead of again and again")
    command.add_argument(
        "--renew", action="store_true", help="get the next certificate if this one is in its last third"
    )


def add_operator_token(add: Add) -> None:
    """Add the command by which operators come to the console."""
    command = add("operator-token", "Make a token that opens the console, and print it once.", _operator_token)
    command.add_argument(
        "--revoke-all",
        action="store_true",
        help="make none; those made so far open nothing more, and who signed in with one is out",
    )


def _add_provision(command: argparse.ArgumentParser) -> None:
    command.add_argument("device", metavar="DEVICE", help="name of the device, e.g. hall-1")
    command.add_argument("venue", metavar="VENUE", help="id of its venue in the catalogue")
    command.add_argument("--replaces", metavar="OLD", default="", help="seal OLD and look after its door and orders")
    command.add_argument("--yes", action="store_true", help="seal OLD without asking")
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="write a provisioning file, with a token that works once"
    )
    command.add_argument("--renew-token", action="store_true", help="make another token; the one before ends")
    command.add_argument(
        "--like",
        type=Path,
        metavar="OLD",
        help="say what this provisioning file says, such as the one on the card; only the token is new, and what is given here wins",
    )
    command.add_argument(
        "--days", type=int, metavar="N", default=30, help="how long the token works; default: %(default)s"
    )
    command.add_argument(
        "--country", metavar="CC", help="where its radio stands, e.g. DE; needed with --out, but for --like"
    )
    text = (
        ("ssid", "name of its hotspot; default: the venue"),
        ("passphrase", "the hotspot's passphrase, - asks for it; default: open"),
        ("staff-pin", "PIN that opens the setup page's particulars, - asks for it; only its hash is written"),
        ("uplink-ssid", "a Wi-Fi that leads to the internet"),
        ("uplink-passphrase", "its passphrase, - asks for it"),
        ("apn", "access point name of a modem's SIM card"),
    )
    for name, words in text:
        command.add_argument(f"--{name}", metavar="TEXT", help=words)
    command.add_argument("--channel", type=int, metavar="N", help="the hotspot's channel; default: it chooses")
    command.add_argument(
        "--stations",
        type=int,
        metavar="N",
        help="how many phones its radio takes at once; default: what the image says",
    )
    command.add_argument(
        "--ssh-key",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="an operator's public key (.pub); may be repeated",
    )
    command.add_argument(
        "--replace", action="store_true", help="let a card that is provisioned already become this device"
    )


def _add_authority(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action", nargs="?", choices=("serve", "init", "revoke"), default="serve", help="default: %(default)s"
    )
    command.add_argument("device", nargs="?", metavar="DEVICE", default="", help="whose certificates to revoke")
    command.add_argument("--owner", metavar="USER", default="", help="init: whom the files belong to")
    command.add_argument(
        "--broker-group", metavar="GROUP", default="", help="init: group that may read the broker's files"
    )
    command.add_argument(
        "--client-group", metavar="GROUP", default="", help="init: group that may read the reconciler's files"
    )


def _provision(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import provision

    return provision.run(given, settings)


def _first_boot(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import first_boot

    return first_boot.run(given, settings)


def _setup_screen(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import setup_screen

    return setup_screen.run(given, settings)


def _enrol(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import enrol

    return enrol.run(given, settings)


def _authority(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import authority

    return authority.run(given, settings)


def _add_yes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="do it without asking")


def _certificate(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import certificate

    return certificate.run(given, settings)


def _operator_token(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.errands import operators

    return operators.run(given, settings)


def _radio(name: str) -> Command:
    def command(given: argparse.Namespace, settings: Settings) -> int:
        from appliance.errands import hotspot

        run: Command = getattr(hotspot, name)
        return run(given, settings)

    return command


def _run(name: str) -> Command:
    def command(given: argparse.Namespace, settings: Settings) -> int:
        from appliance.errands import commands

        run: Command = getattr(commands, name)
        return commands.guarded(run)(given, settings)

    return command
