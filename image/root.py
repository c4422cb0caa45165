"""The root: the base with the layers' files, the program, and all that the Ansible roles of a running venue bring."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from image import base, patched, tree
from image.layers import Layer
from image.run import Programs, mounts
from image.sources import ARCHITECTURE

PROJECT = Path(__file__).parent.parent
ANSIBLE = PROJECT / "ansible"
PLAYBOOK = ANSIBLE / "image.yml"
OPERATIONS = PROJECT / ".ops" / "bin" / "ansible-playbook"
# Where the tools are seen inside while the roles are applied.
_LENT = "/run/lent"
# The loader is called by name: the root has none for this processor, and no variable may reach what modules start.
_PYTHON = f"""\
#!/bin/sh
here={_LENT}/tools/usr
set -- "$here"/bin/python3 "$@"
loader=$(echo "$here"/lib*/ld-linux-*.so.*)
exec "$loader" --library-path "$(echo "$here"/lib/*-linux-gnu)" --argv0 "$here/bin/python3" "$@"
"""
# The time of all that is written here, whenever that is: the day of Debian 13.
WRITTEN_S = 1754697600
KEYRING = "etc/rauc/keyring.pem"


def make(
    work: Path,
    programs: Programs,
    tools_at: Path,
    base_at: Path,
    patched_at: Path,
    archives: Path | None,
    layers: Sequence[Layer],
    keyring: Path,
    given: Mapping[str, Any],
) -> None:
    """Leave the root in ``work``/tree; ``archives`` is the folder with the program (None: neither program nor roles), ``keyring`` whose bundles the device believes,
    ``given`` what the roles are told.
    """
    began_s = time.time()
    made = work / "tree"
    base.unpacked(base_at, made, programs)
    patched.install(made, patched_at, programs)
    tree.lay_in(made, layers)
    if archives is not None:
        roles(work, programs, tools_at, made, archives, given)
    (made / KEYRING).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(keyring, made / KEYRING)
    tree.date(made, began_s, WRITTEN_S)


def roles(work: Path, programs: Programs, tools_at: Path, made: Path, archives: Path, given: Mapping[str, Any]) -> None:
    """Apply image.yml by the chroot connection: nothing is started, what it mounts ends with it.

    Ansible's modules run in the Python of the tools root, which needs no emulator: ten times as fast as the root's own. What they
    start (useradd, systemctl) is the root's.
    """
    temporary = work / "ansible"
    temporary.mkdir()
    (temporary / "python").write_text(_PYTHON, encoding="ascii")
    (temporary / "python").chmod(0o755)
    (temporary / "apt.conf").write_text(
        f'APT::Architecture "{ARCHITECTURE}";\nAPT::Architectures {{"{ARCHITECTURE}";}};\n', encoding="ascii"
    )
    # Of this host alone: what a role does on the build's own machine runs in that one's Python.
    interpreter = f"ansible_python_interpreter={_LENT}/ansible/python"
    (temporary / "hosts").write_text(
        f"{made} ansible_connection=community.general.chroot {interpreter}\n", encoding="utf-8"
    )
    own = {"application_archives": str(archives), "application_architecture": ARCHITECTURE}
    (temporary / "variables.json").write_text(json.dumps({**given, **own}), encoding="utf-8")
    order = [
        str(OPERATIONS), "-i", str(temporary / "hosts"), "-e", f"@{temporary / 'variables.json'}", str(PLAYBOOK),
    ]  # fmt: skip
    lent = [shlex.quote(f"{made}{_LENT}/{name}") for name in ("tools", "ansible")]
    lines = [
        *mounts(made, {}),
        *(f"mkdir -p {each}" for each in lent),
        f"mount --bind -o ro {shlex.quote(str(tools_at / 'root'))} {lent[0]}",
        f"mount --bind {shlex.quote(str(temporary))} {lent[1]}",
    ]
    programs.apart(
        "sh", "-c", "\n".join(["set -e", *lines, f"exec {shlex.join(order)}"]), cwd=ANSIBLE,
        env={
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": str(temporary),
            "ANSIBLE_REMOTE_TEMP": "/tmp",  # noqa: S108
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "APT_CONFIG": f"{_LENT}/ansible/apt.conf",
            # Bytecode of modules that run once differs from build to build.
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )  # fmt: skip
    shutil.rmtree(temporary)


def program(work: Path, programs: Programs, tools_at: Path) -> None:
    """Leave the program's archive for the board's processor in ``work``."""
    order = ("--architecture", ARCHITECTURE, "--out", str(work), "--python-root", str(tools_at / "root"))
    programs.apart(sys.executable, "-m", "image.application", *order, cwd=PROJECT)
