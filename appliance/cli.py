"""The ``marquee`` command: one subcommand per process and per errand. Exit status: 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import argparse
import importlib
import os
import secrets
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.errands.arguments import add_commands, add_enrolment, add_operator_token
from appliance.errands.boot_arguments import add_boot
from appliance.errands.broker import add_broker
from appliance.flash.arguments import add_flash
from appliance.settings import Settings, SettingsError, as_markdown, meant_elsewhere, read_settings, systemctl
from appliance.stopping import stop_event

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from appliance.catalogue import CatalogueErrors

# A process that did not stop by itself this long after being told so is ended the hard way.
STOP_S = 2.5
# A proxy of this machine that speaks HTTPS to operators: its word counts about the scheme (their cookies are then Secure) and
# about who asks.
CONSOLE_PROXIES = ("127.0.0.1", "::1")
Command = Callable[[argparse.Namespace, Settings], int]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = parser().parse_args(arguments)
    if given.command == "settings":
        print(as_markdown(), end="")
        return 0
    if given.reads_settings and (instead := meant_elsewhere(given.command, given.config)):
        print(f"marquee: {instead}", file=sys.stderr)
        return 2
    try:
        settings = read_settings(given.config)
        if given.logs:
            from appliance import logs

            logs.configure(settings.log.level, settings.log.format, given.command, device=settings.device.name)
        command: Command = given.run
        return command(given, settings)
    except SettingsError as error:
        return _complain("settings", error.problems)
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(prog="marquee", description="The box office of a micro-event.")
    top.add_argument(
        "--config",
        metavar="FILE[:FILE...]",
        help="settings (TOML), later files win and may be missing; default: MARQUEE_CONFIG",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str, help: str, run: Command | None = None, *, logs: bool = True, reads_settings: bool = True
    ) -> argparse.ArgumentParser:
        """Commands of a boot print what they do and have ``logs=False``: the library for logs would double their time."""
        command = commands.add_parser(name, help=help, description=help)
        # After the command as well, where people look for it; there it must not undo one given before.
        command.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        command.set_defaults(run=run, logs=logs, reads_settings=reads_settings)
        return command

    portal = add("portal", "Serve attendees, staff and the API of this venue.", _portal)
    pools = portal.add_mutually_exclusive_group()
    pools.add_argument(
        "--guests",
        action="store_true",
        help="serve everything but pages and API of staff, who have a pool of their own",
    )
    pools.add_argument(
        "--staff", action="store_true", help="serve on portal.staff_bind: a pool of workers for staff alone"
    )
    add("desk", "Own scanner, printer and camera of this venue.", _desk)
    add("bridge", "Carry messages between this device and the cloud.", _bridge)
    add("reconciler", "Keep the one inventory of all venues.", _reconciler)
    add("verifier", "Mail codes, and verify pre-enrolments by them.", _verifier)
    add("console", "Serve the operator's view.", _console)
    _add_errands(add)
    _add_demo(add("demo", "Run a whole town of box offices on this machine.", _demo, reads_settings=False))
    return top


def _add_errands(add: Callable[..., argparse.ArgumentParser]) -> None:
    command = add("import", "Check a catalogue file and make it the current one.", _import)
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--check", action="store_true", help="only say what is wrong with the file")
    add_enrolment(add)
    add_commands(add)
    add_boot(add)
    add_flash(add)
    command = add(
        "erase", "Forget a person everywhere: in the cloud at once, at each device when it is reached.", _erase
    )
    command.add_argument("order", metavar="ORDER", nargs="?", default="", help="an order's code or id")
    command.add_argument("--contact", metavar="TEXT", default="", help="whoever gave this contact, in any order")
    command = add("session", "Cancel or move a date, or take that back; holders and doors hear of it.", _session)
    command.add_argument("action", choices=("cancel", "move", "restore"))
    command.add_argument("session", metavar="SESSION", help="EVENT/KEY as in the catalogue file, or the session's id")
    command.add_argument("--venue", metavar="VENUE", help="move it to this venue")
    command.add_argument(
        "--starts-at", metavar="TIME", help="its new time, like 2026-12-04T20:00, at its own place, or with an offset"
    )
    command.add_argument("--ends-at", metavar="TIME", help="its new end; default: it stays as long as it was")
    command.add_argument("--notice", metavar="TEXT", default="", help="what holders read about it")
    command = add("members", "Take a list of members (CSV) in place of the one before.", _members)
    command.add_argument("file", type=Path, metavar="FILE", help="columns: number, and if wanted contact, until")
    add_operator_token(add)
    add_broker(add)
    add("rotate-key", "Replace this device's key; restart its processes afterwards.", _rotate_key)
    command = add("doctor", "Look at everything and say what to do.", _doctor)
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    command.add_argument("--devices", action="store_true", help="what is plugged in, and which address to write for it")
    command = add("preflight", "Say whether this box office is ready for the event it hosts next.", _preflight)
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    add("settings", "Print the table of all settings.")


def _add_demo(command: argparse.ArgumentParser) -> None:
    command.add_argument("--venues", type=int, metavar="N", help="how many venues of the catalogue run (up to 10)")
    command.add_argument("--base-port", type=int, default=8080, metavar="P", help="port of the first venue")
    command.add_argument("--broker", metavar="URL", help="use this MQTT v5 broker instead of the embedded one")
    command.add_argument(
        "--data", type=Path, metavar="DIR", help="keep the state here; default: a folder that goes away"
    )
    command.add_argument("--catalogue", type=Path, metavar="FILE", help="sell this instead of the example")


def _portal(given: argparse.Namespace, settings: Settings) -> int:
    # Pages are imported before the workers are forked: a tenth less memory for master and worker together.
    for pages in ("appliance.portal", *(() if given.guests else ("appliance.portal.staff",))):
        importlib.import_module(pages)
    from appliance.bootstrap.device import portal_app, portal_or_setup, require_device
    from appliance.bootstrap.process import serve
    from appliance.services.setting_up import setup_pending

    pending = setup_pending(settings.device.data)
    if not pending:
        # Here, because a worker that cannot load says so only in the log.
        require_device(settings)

    def load() -> WSGIApplication:
        if pending:
            return portal_or_setup(settings, lambda: read_settings(given.config), staff=not given.guests)
        return portal_app(settings, staff=not given.guests)

    return serve(
        load,
        bind=settings.portal.staff_bind if given.staff else settings.portal.bind,
        workers=1 if given.staff else settings.portal.workers,
        threads=settings.portal.threads,
    )


def _console(_given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.cloud import console_app
    from appliance.bootstrap.process import serve

    return serve(
        lambda: console_app(settings, CONSOLE_PROXIES),
        bind=settings.console.bind,
        workers=1,
        threads=4,
        scheme_from=",".join(CONSOLE_PROXIES),
    )


def _desk(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.device import run_desk, run_setup_desk
    from appliance.services.setting_up import setup_pending

    def work(stop: threading.Event) -> None:
        found = settings
        if setup_pending(found.device.data):
            run_setup_desk(found, stop)
            found = read_settings(given.config)
        if not stop.is_set():
            run_desk(found, stop)

    return _until_told(work)


def _bridge(_given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.device import run_bridge

    return _until_told(lambda stop: run_bridge(settings, stop))


def _reconciler(_given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.cloud import run_reconciler

    return _until_told(lambda stop: run_reconciler(settings, stop))


def _verifier(_given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.cloud import run_verifier

    return _until_told(lambda stop: run_verifier(settings, stop))


def _until_told(work: Callable[[threading.Event], None]) -> int:
    """Run ``work`` until SIGTERM or SIGINT; it gets ``STOP_S`` seconds to end by itself."""

    def told() -> None:
        last = threading.Timer(STOP_S, os._exit, (0,))
        last.daemon = True
        last.start()

    work(stop_event(told))
    return 0


def _import(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.cloud import cloud_database
    from appliance.bootstrap.process import wall_ms
    from appliance.catalogue import CatalogueErrors, keeping, read_catalogue
    from mqtt_bridge.cloud.store import CatalogueRefused, apply_catalogue, current_catalogue

    if given.check:
        try:
            read_catalogue(given.file, keeping((), secrets.token_bytes))
        except CatalogueErrors as error:
            return _complain(str(given.file), _lines(error))
        print(f"{given.file}: nothing is wrong with it")
        return 0
    database = cloud_database(settings)
    with database.read() as db:
        known = current_catalogue(db).staff
    try:
        read = read_catalogue(given.file, keeping(known, secrets.token_bytes))
        assets = {each.sha256: (each.media_type, each.body) for each in read.assets}
        changes = apply_catalogue(database, read.catalogue, assets, wall_ms())
    except CatalogueErrors as error:
        return _complain(str(given.file), _lines(error))
    except CatalogueRefused as error:
        return _complain(str(given.file), error.reasons)
    print("\n".join(changes) if changes else "nothing changed")
    return 0


def _lines(error: CatalogueErrors) -> list[str]:
    return [str(problem) for problem in error.problems]


def _erase(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.cloud import cloud_database, cloud_key
    from appliance.bootstrap.process import wall_ms
    from mqtt_bridge.cloud.erasures import ErasureRefused, erase

    if bool(given.order) == bool(given.contact):
        return _complain("erase", ["name one order, or one --contact"])
    database, signer, salt = cloud_database(settings), cloud_key(settings), secrets.token_hex(16)
    try:
        asked = erase(database, signer, settings.device.org, wall_ms(), salt, order=given.order, contact=given.contact)
    except ErasureRefused as error:
        return _complain("erase", [str(error)])
    print("the cloud keeps no name and no contact of this person" + (" and asked:" if asked.devices else ""))
    for device, orders in asked.devices.items():
        print(f"  {device}: " + ("not reached yet" if orders is None else f"forgotten, in {orders} orders"))
    for device in asked.sealed:
        print(f"  {device}: sealed, it cannot be asked; destroy its card")
    return 0


def _session(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.cloud import cloud_database
    from appliance.bootstrap.process import wall_ms
    from mqtt_bridge.cloud.repair import apply_rules
    from mqtt_bridge.cloud.session_changes import ChangeRefused, cancel_session, local_ms, move_session, restore_session

    database, now_ms = cloud_database(settings), wall_ms()
    try:
        if given.action == "cancel":
            words = cancel_session(database, given.session, "operator", now_ms, given.notice)
        elif given.action == "restore":
            words = restore_session(database, given.session, "operator", now_ms)
        else:
            starts, ends = (local_ms(database, given.session, text) for text in (given.starts_at, given.ends_at))
            to = {"venue": given.venue, "starts_at_ms": starts, "ends_at_ms": ends}
            words = move_session(database, given.session, "operator", now_ms, notice=given.notice, **to)
    except ChangeRefused as error:
        return _complain("session", [str(error)])
    print("\n".join(words))
    if done := apply_rules(database, now_ms):
        print(f"{done} of them decided by rule")
    return 0


def _members(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.cloud import cloud_database
    from appliance.bootstrap.process import wall_ms
    from mqtt_bridge.cloud.standing import ListRefused, put_list, read_list

    try:
        members = read_list(given.file.read_text("utf-8"))
    except ListRefused as error:
        return _complain(str(given.file), error.problems)
    except (OSError, UnicodeDecodeError) as error:
        return _complain(str(given.file), [f"cannot be read: {error}"])
    print(f"{put_list(cloud_database(settings), members, 'operator', wall_ms())} members; the list before is gone")
    return 0


def _rotate_key(_given: argparse.Namespace, settings: Settings) -> int:
    from appliance.bootstrap.device import device_box, device_key
    from appliance.services.rotation import rotate_key

    kid = rotate_key(device_box(settings), device_key(settings))
    print(f"{kid} is announced under the old key; what runs signs with it once it is started again:")
    print(systemctl("restart"))
    return 0


def _doctor(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.doctor.devices import examine_devices
    from appliance.doctor.examination import examine
    from appliance.doctor.findings import report

    return report(examine_devices(settings) if given.devices else examine(settings), as_json=given.json)


def _preflight(given: argparse.Namespace, settings: Settings) -> int:
    from appliance.doctor.findings import report
    from appliance.doctor.preflight import preflight

    return report(preflight(settings), as_json=given.json)


def _demo(given: argparse.Namespace, _settings: Settings) -> int:
    from appliance.demo.run import DemoRefused, Options, run

    options = Options(
        venues=given.venues,
        base_port=given.base_port,
        broker=given.broker,
        data=given.data,
        catalogue=given.catalogue,
    )
    try:
        return run(options)
    except DemoRefused as error:
        return _complain("demo", error.reasons)


def _complain(what: str, problems: list[str]) -> int:
    for problem in problems:
        print(f"{what}: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
