"""``python -m tests.system.fleet [PYTEST ARGUMENTS]``: the story of a fleet, on hosts booted for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.system import ending
from tests.system.fleet.root import PROJECT, roots

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "ip": "iproute2",
    "dnsmasq": "dnsmasq-base",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
BOOKS = PROJECT / ".ops" / "bin" / "ansible-playbook"
# Everything in there ends with the first process of it, whatever becomes of this one.
ALONE = (
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--cgroup",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
# Debian 13's systemd wants the second version of control groups, whatever this host has; nspawn and ip leave their marks below /run.
ENTER = """\
set -e
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/fleet-$MARQUEE_FLEET_NAME"
echo $$ > "/sys/fs/cgroup/fleet-$MARQUEE_FLEET_NAME/cgroup.procs"
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/netns /run/lock
mount -t tmpfs -o mode=755 none "$MARQUEE_FLEET_WORK"
ip link set lo up
exec "$@"
"""
_START_S = time.monotonic()


def say(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - _START_S:6.1f}] {line}", flush=True)


def missing(user: int, found: Callable[[str], str | None], books: Path = BOOKS) -> list[str]:
    """What keeps user number ``user`` from booting a fleet, where ``found`` gives a program's path."""
    told = [] if user == 0 else ["It must run as root, who may boot systems in namespaces."]
    told += [
        f"The program {name} is missing (Debian: {package})."
        for name, package in PROGRAMS.items()
        if found(name) is None
    ]
    return told + ([] if books.exists() else [f"{books} is missing; make it with: .ci/setup ops"])


def main(arguments: list[str]) -> int:
    """Build what is missing, boot, run; return pytest's exit status."""
    if told := missing(os.geteuid(), shutil.which):
        raise SystemExit("\n".join(told))
    ending.orderly()
    made = roots(say)
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        work, archives = Path(name) / "hosts", Path(name) / "archives"
        work.mkdir()
        say("the program, for amd64 ...")
        command = (
            "image.application",
            "--architecture",
            "amd64",
            "--out",
            str(archives),
            "--python-root",
            str(made.venue),
        )
        subprocess.run((sys.executable, "-m", *command), cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
        status = _story(arguments, {
            "MARQUEE_FLEET_NAME": Path(name).name,
            "MARQUEE_FLEET_WORK": str(work),
            "MARQUEE_FLEET_ARCHIVES": str(archives),
            "MARQUEE_FLEET_VENUE": str(made.venue),
            "MARQUEE_FLEET_CLOUD": str(made.cloud),
        })  # fmt: skip
    say(f"the story ended with {status}")
    return status


def _story(arguments: list[str], given: dict[str, str]) -> int:
    # MARQUEE_GUEST tells the folder's own conftest that what is inside may be collected now.
    environment = {**os.environ, **given, "MARQUEE_GUEST": "1", "MARQUEE_NO_SKIPS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    suite = (
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(PROJECT), "--import-mode", "importlib",
        "--color", "no", "-x", "-v", "-s", "-rfE", "--timeout", "1500", "--durations", "12", "tests/system/fleet/inside", *arguments,
    )  # fmt: skip
    running = subprocess.Popen(
        (*ALONE, "sh", "-c", ENTER, "sh", *suite), cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL
    )
    try:
        return running.wait()
    finally:
        running.kill()
        running.wait()
        # The group is empty as soon as the kernel has seen the last of it off.
        for root in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
            for each in sorted(root.glob(f"**/fleet-{given['MARQUEE_FLEET_NAME']}/**/"), reverse=True):
                _remove_group(each)


def _remove_group(folder: Path) -> None:
    for _ in range(20):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
