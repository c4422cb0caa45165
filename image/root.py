"""The root: the base with the layers' files, the program, and all that the Ansible roles of a running venue bring."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from image import base, tree
from image.layers import Layer
from image.run import Programs, mounts

PROJECT = Path(__file__).parent.parent
ANSIBLE = PROJECT / "ansible"
PLAYBOOK = ANSIBLE / "image.yml"
OPERATIONS = PROJECT / ".ops" / "bin" / "ansible-playbook"
ARCHITECTURE = "arm64"
KEYRING = "etc/rauc/keyring.pem"


def make(
    work: Path, programs: Programs, base_at: Path, archives: Path | None, layers: Sequence[Layer], keyring: Path
) -> None:
    """Leave the root in ``work``/tree; ``archives`` is the folder with the program (None: neither program nor roles), ``keyring`` whose bundles the device believes."""
    made = work / "tree"
    base.unpacked(base_at, made, programs)
    tree.lay_in(made, layers)
    if archives is not None:
        roles(work, programs, made, archives)
    (made / KEYRING).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(keyring, made / KEYRING)


def roles(work: Path, programs: Programs, made: Path, archives: Path) -> None:
    """Apply image.yml by the chroot connection: nothing is started, what it mounts ends with it."""
    temporary = work / "ansible"
    temporary.mkdir()
    order = [
        str(OPERATIONS), "-i", f"{made},", "-c", "community.general.chroot", "-e", f"application_archives={archives}", str(PLAYBOOK),
    ]  # fmt: skip
    script = "\n".join(["set -e", *mounts(made, {}), f"exec {shlex.join(order)}"])
    programs.apart(
        "sh", "-c", script, cwd=ANSIBLE,
        env={
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": str(temporary),
            "ANSIBLE_REMOTE_TEMP": "/tmp",  # noqa: S108
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            # Bytecode of modules that run once differs from build to build.
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )  # fmt: skip
    shutil.rmtree(temporary)


def program(work: Path, programs: Programs, tools_at: Path) -> None:
    """Leave the program's archive for the board's processor in ``work``."""
    order = ("--architecture", ARCHITECTURE, "--out", str(work), "--python-root", str(tools_at / "root"))
    programs.run(sys.executable, "-m", "image.application", *order, cwd=PROJECT)
