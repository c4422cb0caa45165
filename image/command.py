"""What a person types: `python -m image build|status|clean`."""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from image import account, boards, bundle, cache, card, needs, root, signing, steps, system
from image.errors import BuildError
from image.plan import PROJECT, Order, Plan, plan
from image.progress import clock
from image.steps import Step

DEFAULT_BOARD = "pi4-pi5"
# What must be equal when the same is built twice. A bundle's signature holds the moment of signing.
EQUAL = {"system": (system.ROOT, system.PACKAGES, system.BILL), "card": (f"{card.IMAGE}.xz", f"{card.IMAGE}.bmap")}


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; return the process's exit status."""
    given = parser().parse_args(words)
    try:
        return int(given.run(given))
    except BuildError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    top = argparse.ArgumentParser(prog="python -m image", description="Builds the image that cards are flashed with.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, run, about in (
        ("build", _build, "build image, bundle, list of packages and bill of materials"),
        ("status", _status, "tell which steps are cached and which would be made"),
        ("clean", _clean, "remove the cache of steps"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        if name != "clean":
            _options(command)
        if name == "build":
            command.add_argument(
                "--out", type=Path, default=PROJECT / "build" / "image", help="folder for the results (%(default)s)"
            )
            command.add_argument("--twice", action="store_true", help="build again beside it and compare byte for byte")
            command.add_argument(
                "--full", action="store_true", help="with --twice: from the packages on, not from the same base"
            )
    return top


def _options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--board", choices=boards.names(), default=DEFAULT_BOARD, help="kind of board (%(default)s)")
    command.add_argument(
        "--signing-key",
        type=Path,
        metavar="FILE",
        help="private key that signs the bundle (PEM); without: one for development",
    )
    command.add_argument("--signing-certificate", type=Path, metavar="FILE", help="its certificate (PEM)")
    command.add_argument(
        "--keyring", type=Path, metavar="FILE", help="certificates whose bundles devices believe (PEM)"
    )
    command.add_argument(
        "--archive", default="", metavar="ADDRESS", help="Raspberry Pi's package archive, for boards that need it"
    )
    command.add_argument("--archive-key", type=Path, metavar="FILE", help="the key that signs that archive")
    command.add_argument(
        "--variables", type=Path, metavar="FILE", help="what the roles are told, as in an inventory's group_vars (YAML)"
    )
    command.add_argument(
        "--bare",
        action="store_true",
        help="without program and roles: what Debian alone takes to boot, to compare with",
    )


def _order(given: argparse.Namespace) -> Order:
    signer = signing.given(given.signing_key, given.signing_certificate, given.keyring)
    return Order(given.board, signer, given.archive, given.archive_key, given.bare, given.variables)


def _build(given: argparse.Namespace) -> int:
    store = cache.Cache(cache.folder())
    found = needs.needs(store.at, root.OPERATIONS)
    print(needs.told(found), flush=True)
    if not all(each.there for each in found):
        raise BuildError("Something is missing, see above.")
    order = _order(given)
    planned = plan(order)
    if order.signer.development:
        print(
            "The bundle is signed by a key for development: devices of a fleet must get their own (--signing-key).",
            flush=True,
        )
    print(f"Building {planned.version} for {given.board}; every step is kept in {store.at}.", flush=True)
    begun_s, equal_from = time.monotonic(), ""
    with store.held():
        have = steps.run(planned.steps, store, planned.epoch, sys.stdout)
        if given.twice:
            compare(planned, have, store, full=given.full)
            equal_from = "packages" if given.full else "base"
        store.forget(set(have.values()))
        told = account.account(planned.steps, have, planned.layout, planned.version, equal_from)
    out = given.out / (f"{given.board}-bare" if given.bare else given.board)
    _handed_out(have, out, planned, time.monotonic() - begun_s)
    (out / account.ACCOUNT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def compare(planned: Plan, have: dict[str, Path], store: cache.Cache, *, full: bool) -> None:
    """Build again in a cache of its own and compare. Raises ``BuildError`` with the names of what differs."""
    again = cache.Cache(store.at / "twice")
    if again.at.exists():
        cache.remove(again.at)
    again.at.mkdir()
    for name in ("tools",) if full else account.ONCE:
        again.place(name, have[name].name.removeprefix(f"{name}-")).symlink_to(have[name])
    second = steps.run(planned.steps, again, planned.epoch, sys.stdout)
    different = [
        f"{name}: {file}"
        for name, files in EQUAL.items()
        for file in files
        if not filecmp.cmp(have[name] / file, second[name] / file, shallow=False)
    ]
    if different:
        # Both stay: whoever looks for the difference needs them.
        raise BuildError(f"Built twice, these differ: {', '.join(different)}; both are kept below {store.at}.")
    cache.remove(again.at)
    print("Built twice: image, map, list of packages and bill of materials are equal byte for byte.", flush=True)


def _handed_out(have: dict[str, Path], out: Path, planned: Plan, seconds: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    names = {
        "card": (f"{card.IMAGE}.xz", f"{card.IMAGE}.bmap", "SHA256SUMS"),
        "system": (system.PACKAGES, system.BILL),
        "bundle": (bundle.BUNDLE,),
    }
    for step, files in names.items():
        for name in files:
            fresh = out / f".{name}"
            shutil.copyfile(have[step] / name, fresh)
            os.replace(fresh, out / name)  # noqa: PTH105
            print(f"{(out / name).stat().st_size / 1e6:8.1f} MB  {out / name}")
    print(f"{planned.version} in {clock(seconds)}")


def _status(given: argparse.Namespace) -> int:
    store = cache.Cache(cache.folder())
    planned = plan(_order(given))
    usual = store.times()
    made = steps.keyed(planned.steps)
    for step in planned.steps:
        print(_line(step, cached=store.has(step.name, made[step.name]), usual_s=usual.get(step.name)))
    return 0


def _line(step: Step, *, cached: bool, usual_s: float | None) -> str:
    took = f", took {clock(usual_s)}" if usual_s is not None else ""
    return f"{step.name:8} {'cached' if cached else 'to do '}  {step.says}{took}"


def _clean(_: argparse.Namespace) -> int:
    store = cache.Cache(cache.folder())
    with store.held():
        for each in store.at.iterdir():
            if each.is_dir():
                cache.remove(each)
    print(f"Removed what was kept in {store.at}.")
    return 0
