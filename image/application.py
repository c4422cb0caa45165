"""The program as one archive per architecture: a virtual environment laid out as files, for Debian 13's own Python.

    python -m image.application --architecture arm64        build/marquee-<version>-arm64.tar.gz

It takes the wheels of requirements-device.lock for that architecture (hashes are checked) and this project's own; nothing is built from
source. The same tree and the same lock give the same bytes (``SOURCE_DATE_EPOCH``, or the time of the last commit). The role
``application`` unpacks it into /usr/lib/marquee.

Bytecode is the same on every processor, but only Python 3.13 makes it: this one, if it is that, or the one of a Debian 13 root
(``--python-root``). Without either the role has it made where the archive is unpacked.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LOCK = "requirements-device.lock"
PYTHON = "3.13"
HOME = "/usr/lib/marquee"
# Debian's architectures -> the kernel's names, as tags of wheels have them.
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
# Tags that Debian 13's C library (2.41) satisfies and that wheels are found under.
TAGS = (
    "manylinux_2_17",
    "manylinux2014",
    "manylinux_2_26",
    "manylinux_2_27",
    "manylinux_2_28",
    "manylinux_2_34",
    "manylinux_2_39",
)
SITE = f"lib/python{PYTHON}/site-packages"
# What libraries bring beside themselves: commands that name this machine's Python, manuals, tests, and a hook of setuptools into every start.
LEFT_OUT = ("bin", "share", "docs", "tests", "distutils-precedence.pth", "_distutils_hack")
SETTINGS = f"""\
home = /usr/bin
include-system-site-packages = true
version = {PYTHON}
executable = /usr/bin/python3
command = /usr/bin/python3 -m venv --system-site-packages {HOME}
"""
# Isolated: neither variables nor a user's own packages change what runs; nothing is written beside the program.
COMMAND = f"""\
#!{HOME}/bin/python -IB
from appliance.cli import main

raise SystemExit(main())
"""

Run = Callable[[Sequence[str], Mapping[str, str]], None]
Say = Callable[[str], None]


class ApplicationError(Exception):
    """The archive cannot be made; its text says why and what to do."""


def archive_name(version: str, architecture: str) -> str:
    """Return the name the role ``application`` looks for."""
    return f"marquee-{version}-{architecture}.tar.gz"


def version_of(project: Path) -> str:
    """Return the version in pyproject.toml."""
    return str(tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def epoch_of(project: Path) -> int:
    """Return the time every file gets, in seconds since 1970: ``SOURCE_DATE_EPOCH``, or that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    try:
        told = subprocess.run(
            ("git", "-C", str(project), "log", "-1", "--format=%ct"), capture_output=True, text=True, check=True
        )
        return int(told.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        raise ApplicationError(
            "This is no checkout of git; set SOURCE_DATE_EPOCH to the time its files are to have."
        ) from None


def make(
    architecture: str,
    out: Path,
    *,
    project: Path = PROJECT,
    python_root: Path | None = None,
    run: Run | None = None,
    say: Say = print,
) -> Path:
    """Make the archive of an architecture in ``out`` and return its path; one that is there is replaced at once.

    Raises ``ApplicationError`` with what a program said that failed.
    """
    epoch = epoch_of(project)
    does = run or _run
    path = out / archive_name(version_of(project), architecture)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".application-", dir=out) as name:
        work = Path(name)
        tree = work / "tree"
        say(f"{architecture}: packages of {LOCK} ...")
        _packages(tree / SITE, architecture, project, does)
        say(f"{architecture}: this project ...")
        _own(tree / SITE, work, project, epoch, does)
        _environment(tree)
        compiler = _compiler(tree, python_root)
        say(
            f"{architecture}: bytecode ..."
            if compiler
            else f"{architecture}: no Python {PYTHON} here; bytecode is made on the host"
        )
        if compiler:
            does(compiler, {"PYTHONHASHSEED": "0"})
        say(f"{architecture}: {path.name} ...")
        draft = work / path.name
        pack(tree, draft, epoch)
        draft.replace(path)
    return path


def _packages(site: Path, architecture: str, project: Path, run: Run) -> None:
    platforms = [option for tag in TAGS for option in ("--platform", f"{tag}_{ARCHITECTURES[architecture]}")]
    run(
        _pip(
            "install", "--target", str(site), "--no-compile", "--no-deps", "--require-hashes", "--only-binary", ":all:",
            "--python-version", PYTHON, "--implementation", "cp", "--abi", f"cp{PYTHON.replace('.', '')}", "--abi", "abi3", "--abi", "none",
            *platforms, "-r", str(project / LOCK),
        ),
        {},
    )  # fmt: skip
    for name in LEFT_OUT:
        path = site / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _own(site: Path, work: Path, project: Path, epoch: int, run: Run) -> None:
    wheels = work / "wheels"
    run(
        _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(wheels), str(project)),
        {"SOURCE_DATE_EPOCH": str(epoch)},
    )
    # By name from a folder: given as a file, its path on this machine would be written down.
    found = ("--no-index", "--find-links", str(wheels), f"marquee=={version_of(project)}")
    run(_pip("install", "--target", str(site), "--no-compile", "--no-deps", *found), {})
    shutil.rmtree(site / "bin")


def _pip(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", *words)


def _environment(tree: Path) -> None:
    """Lay out what makes a virtual environment of the packages."""
    (tree / "bin").mkdir(parents=True)
    (tree / "pyvenv.cfg").write_text(SETTINGS)
    (tree / "bin" / "python").symlink_to("/usr/bin/python3")
    (tree / "bin" / "python3").symlink_to("python")
    command = tree / "bin" / "marquee"
    command.write_text(COMMAND)
    command.chmod(0o755)


def _compiler(tree: Path, root: Path | None) -> tuple[str, ...]:
    """Return the command that leaves bytecode in ``tree``, or nothing where there is no Python that makes it."""
    if root is not None:
        # Mounted for this program alone, and gone with it.
        inside = 'mount --bind "$1" "$2/mnt" && exec chroot "$2" /usr/bin/python3 "$@"'
        script = inside.replace('"$@"', " ".join(compileall("/mnt")))
        return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(tree), str(root))
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
        return (sys.executable, *compileall(str(tree)))
    return ()


def compileall(tree: str) -> tuple[str, ...]:
    """Return the words behind ``python3`` that compile all below ``tree``; the role's own task has the same.

    Unchecked: the sources' times say nothing, since all are the same, and nobody writes into the program.
    """
    return (
        "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", "-s", tree, "-p", HOME, f"{tree}/lib",
    )  # fmt: skip


def pack(tree: Path, archive: Path, epoch: int) -> None:
    """Write ``tree`` as a tar that depends on nothing but names, contents and whether a file is a program."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = epoch
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    with archive.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:  # fmt: skip
        for path in _sorted(tree):
            tar.add(path, arcname=str(path.relative_to(tree)), recursive=False, filter=plain)


def _sorted(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _sorted(path)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ApplicationError(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-3000:]}")


def main(words: Sequence[str] | None = None) -> int:
    """Make the archives that were asked for; exit status 1 when one could not be made."""
    parser = argparse.ArgumentParser(
        prog="python -m image.application", description="Make the archive that the role `application` installs."
    )
    parser.add_argument(
        "--architecture", action="append", choices=sorted(ARCHITECTURES), help="may be repeated; default: all"
    )
    parser.add_argument("--out", type=Path, default=PROJECT / "build", metavar="DIR", help="default: build")
    parser.add_argument(
        "--python-root", type=Path, metavar="DIR", help="a Debian 13 root whose Python makes the bytecode (needs root)"
    )
    given = parser.parse_args(words)
    try:
        for architecture in given.architecture or sorted(ARCHITECTURES):
            path = make(architecture, given.out, python_root=given.python_root)
            print(f"{path}  sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    except ApplicationError as error:
        print(f"application: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
