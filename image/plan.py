"""The plan of a build: its steps with all that each depends on. Nothing is made here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from image import (
    base,
    boards,
    bundle,
    card,
    kernel,
    keys,
    layers,
    patched,
    root,
    signing,
    sources,
    system,
    table,
    tools,
    variables,
)
from image.errors import BuildError
from image.run import Programs
from image.steps import Step, code

PROJECT = Path(__file__).parent.parent
# "MQUE": one for all cards, so that the command line in the image names its root on each of them.
DISK_ID = 0x4D515545
LAYOUT = table.layout(DISK_ID, start_mib=64, boot_mib=256, root_mib=1024, data_mib=128)
# What every layer's texts may name.
VALUES = {name: LAYOUT.partuuid(name) for name in ("start", "data")}
# What of the checkout makes the program.
PROGRAM = ("appliance", "drivers", "mqtt_bridge", "pyproject.toml", "requirements-device.lock", "image/application.py")


@dataclass(frozen=True)
class Order:
    """What was asked for: the board, who signs, Raspberry Pi's archive where the board needs it, whether to leave out program and roles, and what to tell these."""

    board: str
    signer: signing.Signing
    archive: str = ""
    archive_key: Path | None = None
    bare: bool = False
    variables: Path | None = None


@dataclass(frozen=True)
class Plan:
    """Steps in order, the image's version and time (seconds since 1970)."""

    board: boards.Board
    layout: table.Layout
    layers: list[layers.Layer]
    steps: list[Step]
    version: str
    epoch: int


def plan(order: Order) -> Plan:
    """Return the plan for a board."""
    board = boards.board(order.board)
    found = [each for each in layers.load(order.board, VALUES) if each.bare or not order.bare]
    epoch, version = when(), version_now()
    listed = archives(board, order)
    steps = _steps(board, LAYOUT, found, order, listed, version, epoch)
    return Plan(board, LAYOUT, found, steps, version, epoch)


def archives(board: boards.Board, order: Order) -> str:
    """Return the package sources of a board: the host's, and the archive that was named for boards that need one."""
    listed = sources.of_host()
    if not board.archive:
        return listed
    if not order.archive or order.archive_key is None:
        raise BuildError(
            f"The board {board.name} needs --archive ADDRESS and --archive-key FILE: Raspberry Pi's own package archive."
        )
    key = order.archive_key.resolve()
    return f"{listed}\nTypes: deb\nURIs: {order.archive}\nSuites: {' '.join(board.suites)}\nComponents: main\nSigned-By: {key}\n"


def when() -> int:
    """Return the time of the last commit, in seconds since 1970."""
    return int(_git("log", "-1", "--format=%ct"))


def version_now() -> str:
    """Return the image's version: the program's, the day of the last commit and its name, `dirty` where files differ from it."""
    match = re.search(r'^version = "([^"]+)"$', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)
    commit = _git("log", "-1", "--format=%cd.%h", "--date=format:%Y%m%d", "--abbrev=10")
    dirty = ".dirty" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{match[1] if match else '0'}.{commit}{dirty}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(PROJECT), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _steps(board: boards.Board, layout: table.Layout, found: list[layers.Layer], order: Order, listed: str, version: str, epoch: int) -> list[Step]:  # fmt: skip
    signer = order.signer
    wanted, numbers = base.packages(found, board.packages), base.users(found)
    ours = patched.named(found)
    about = asdict(board)
    laid = [asdict(layer) for layer in found]
    told = {} if order.bare else variables.given(board, order.variables)
    initrd = [asdict(file) for file in kernel.files(found)]

    def make_kernel(work: Path, have: Mapping[str, Path], programs: Programs) -> None:
        kernel.make(work, programs, have["base"], board, found)

    def make_root(work: Path, have: Mapping[str, Path], programs: Programs) -> None:
        root.make(
            work,
            programs,
            have["tools"],
            have["base"],
            have["patched"],
            have.get("program"),
            found,
            signer.keyring,
            told,
        )

    def make_system(work: Path, have: Mapping[str, Path], programs: Programs) -> None:
        system.make(work, programs, have["tools"], have["root"], board, found, version)

    def make_bundle(work: Path, have: Mapping[str, Path], programs: Programs) -> None:
        bundle.make(work, programs, have["tools"], have["parts"], have["system"], signer, board, layout, version)

    program = Step(
        "program",
        "the program and its libraries",
        ("tools",),
        keys.of_files([PROJECT / each for each in PROGRAM], PROJECT),
        lambda work, have, programs: root.program(work, programs, have["tools"]),
    )
    build = {"version": version, "epoch": epoch}
    return [
        Step("tools", "tools that make file systems", (), [tools.PACKAGES, sources.RELEASE, code("tools")],
             lambda work, _, programs: tools.make(work, programs, listed)),
        Step("base", f"Debian for the board, {len(wanted)} packages and what they need", (), [wanted, numbers, base.LEFT_OUT, base.LEFT_IN, sources.RELEASE],
             lambda work, _, programs: base.make(work, programs, listed, wanted, numbers)),
        Step("patched", f"packages of Debian with a patch of ours: {', '.join(ours)}", (), [ours, patched.digests(ours), sources.RELEASE, code("patched")],
             lambda work, _, programs: patched.make(work, programs, sources.of_host(), ours)),
        *([] if order.bare else [program]),
        Step("kernel", "kernel and initial RAM disk", ("base",), [about, initrd, kernel.modules(found), code("kernel")], make_kernel),
        Step("root", "settings and roles of a venue", ("tools", "base", "patched") if order.bare else ("tools", "base", "patched", "program"),
             [laid, told, keys.of_file(signer.keyring), {} if order.bare else keys.of_files([root.ANSIBLE], PROJECT), code("root", "tree")], make_root),
        Step("system", "root file system, packed", ("root", "tools"), [about, build, laid, system.COMPRESSION, code("system", "inventory", "tree")], make_system),
        Step("parts", "boot and data partitions", ("kernel", "tools"), [about, asdict(layout), build, code("boot", "card")],
             lambda work, have, programs: card.parts(work, programs, have["tools"], have["kernel"], board, layout)),
        Step("card", "image, map and checksums", ("parts", "system", "tools"), [asdict(layout), code("card", "table", "blockmap")],
             lambda work, have, programs: card.make(work, programs, have["tools"], have["parts"], have["system"], layout)),
        Step("bundle", "signed bundle", ("parts", "system", "tools"), [keys.of_file(signer.certificate), build, code("bundle")], make_bundle),
    ]  # fmt: skip
