"""Types what a page says into shells: one on a computer with a clone of the project, one on each host that it names.

What would reach another machine, become root or take an hour is a stand-in that looks at what it is asked for, so a folder, a file, a host or a
target that is not there is a mistake. Commands of ours are the real ones; on hosts they come by the wrappers that the roles give operators.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from appliance.settings import PREFIX
from tests.support.pages import ROOT
from tests.support.roles import ROLES
from tests.support.steps import Block

KEY = f"ssh-ed25519 {'A' * 68} anna@office\n"
LIMIT_S = 120
OURS = f'exec {sys.executable} -m appliance.cli "$@"'
OF_CLONE = ("Makefile", "ansible/site.yml", "ansible/ansible.cfg", "ansible/inventory/example")

SUDO = """#!/bin/sh
# Root may do anything; what it installs is not looked at.
[ "$1" = apt-get ] && exit 0
exec "$@"
"""
SCP = """#!/bin/sh
set -eu
case $2 in ops@*:/*) exec cp "$1" "${2#*:}" ;; *) echo "scp: $2 names no account, host and whole path" >&2; exit 1 ;; esac
"""
SSH = """#!/bin/sh
set -eu
if [ "$1" = -N ]; then
    # What the roles let SSH lead to.
    [ "$2" = -L ] && grep -qF "\\"${3#*:}\\"" ansible/inventory/example/group_vars/cloud.yml && exit 0
    echo "ssh: $3 is not let through" >&2; exit 1
fi
host=${1#ops@}; shift
cd "@HOSTS@/$host"
exec sh -c "$*"
"""
MAKE = """#!/bin/sh
grep -q "^$1: .*## " Makefile || { echo "make: no target $1 in $PWD" >&2; exit 1; }
[ "$1" != image ] || [ -d build/image ]
"""
PYTHON = """#!/bin/sh
set -eu
[ "$1 $2" = "-m image.application" ] || { echo "python: $*" >&2; exit 1; }
[ -f Makefile ] || { echo "python: $PWD is not the clone" >&2; exit 1; }
cd @ROOT@
case $(@PYTHON@ -m image.application --help) in *"$3"*"$4"*) ;; *) echo "image.application: $*" >&2; exit 1 ;; esac
"""
PLAYBOOK = """#!@PYTHON@
import argparse, pathlib, sys, yaml
parser = argparse.ArgumentParser()
parser.add_argument("-i", required=True)
parser.add_argument("book")
parser.add_argument("--limit", required=True)
given = parser.parse_args()
assert pathlib.Path("ansible.cfg").exists() and pathlib.Path(given.book).exists(), f"{pathlib.Path.cwd()} has no books"
groups = yaml.safe_load((pathlib.Path(given.i) / "hosts.yml").read_text())["all"]["children"]
assert given.limit in {*groups, *(host for each in groups.values() for host in each["hosts"])}, given.limit
"""


@dataclass
class Keyboard:
    """``cloud`` is ``/var/lib/marquee-cloud`` with ``cloud.toml``; ``device`` has the settings of hall-1, once it is one; ``card`` is ``/dev/sdb``."""

    folder: Path
    cloud: Path
    device: Path
    card: Path
    at: Path = field(init=False)

    def __post_init__(self) -> None:
        self.clone = self.at = self.folder / "clone"
        for name in OF_CLONE:
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.clone / name)
        self.home, self.hosts, self.tmp = self.folder / "home", self.folder / "hosts", self.folder / "tmp"
        for each in (self.home / ".ssh", self.tmp, self.hosts / "cloud-1", self.hosts / "hall-1"):
            each.mkdir(parents=True)
        (self.home / ".ssh" / "id_ed25519.pub").write_text(KEY)
        self.bin = self.folder / "bin"
        for name, text in {"sudo": SUDO, "scp": SCP, "ssh": SSH, "make": MAKE}.items():
            self._program(self.bin / name, text)
        self._program(self.clone / ".venv/bin/python", PYTHON)
        self._program(self.clone / ".venv/bin/marquee", f"#!/bin/sh\n{OURS}\n")
        self._program(self.clone / ".ops/bin/ansible-playbook", PLAYBOOK)
        wrappers = {"marquee-cloud": "cloud", "marquee-device": "identity"}
        for name, role in wrappers.items():
            self._program(self.bin / name, self.wrapper((ROLES / role / f"templates/{name}.j2").read_text("utf-8")))

    def wrapper(self, text: str) -> str:
        """Return a wrapper of the roles as it is here: with other folders, and without another account."""
        text = self.here(re.sub(r"setpriv .*\\\n\s*", "", text))
        return text.replace("/usr/lib/marquee/bin/marquee", f"{sys.executable} -m appliance.cli")

    def here(self, text: str) -> str:
        """Return a text with the folders that stand for those of hosts."""
        stands = {
            "/etc/marquee/cloud.toml": self.cloud / "cloud.toml",
            "/var/lib/marquee-cloud": self.cloud,
            "/etc/marquee/marquee.toml": self.device.parent / "marquee.toml",
            "/var/lib/marquee": self.device,
            "/tmp": self.tmp,
            "/dev/sdb": self.card,
        }
        return re.sub("|".join(stands), lambda found: str(stands[found[0]]), text)

    def type(self, block: Block, answer: str = "") -> list[str]:
        """Type a block and what is answered to its questions; return what each line said. The computer's shell stays where a line left it."""
        return [self._line(block.host, self.here(line), answer) for line in block.lines]

    def _line(self, host: str, line: str, answer: str) -> str:
        left = self.folder / "left"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        # Nobody's own shell finds this environment's programs.
        found = [each for each in os.environ["PATH"].split(":") if not Path(each, "marquee").exists()]
        environment |= {"PATH": ":".join([str(self.bin), *found]), "HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        main, other = pty.openpty()
        running = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", f"trap 'pwd >{left}' EXIT\n{line}"],
            cwd=self.hosts / host if host else self.at, env=environment, stdin=other, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        os.close(other)
        os.write(main, f"{answer}\n".encode())
        with running:
            said, _ = running.communicate(timeout=LIMIT_S)
        os.close(main)
        # A look at a device may find something wrong there.
        assert running.returncode == 0 or "marquee-device" in line, f"{line}: {said}"
        if not host:
            self.at = Path(left.read_text().strip())
        return said

    def _program(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, value in {"@HOSTS@": self.hosts, "@ROOT@": ROOT, "@PYTHON@": sys.executable}.items():
            text = text.replace(name, str(value))
        path.write_text(text)
        path.chmod(0o755)
