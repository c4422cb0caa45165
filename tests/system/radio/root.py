"""The guest of the radio tests: Debian's access point and friends, this project's libraries, and the role ``hotspot`` applied by Ansible."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.system.guest.root import PROJECT, Recipe

PLAYBOOK = Path(__file__).with_name("guest.yml")
FLEET = Path(__file__).with_name("fleet.toml")
DEBIAN = (
    "systemd-sysv", "systemd-resolved", "udev", "kmod", "dbus", "linux-image-amd64", "initramfs-tools",
    "python3", "python3-apt", "hostapd", "wpasupplicant", "iw", "wireless-regdb", "dnsmasq-base", "nftables",
    "iproute2", "iputils-ping", "nginx-light", "procps", "modemmanager", "python3-dbusmock",
)  # fmt: skip
PHONES = 21
# As on a board, the radios are there when the kernel is: the access point's, the second Wi-Fi's, somebody else's, and the phones'.
RADIOS = f"options mac80211_hwsim radios={PHONES + 3}\n"
# The application lies where the host shares it; a unit that starts before it is there fails, and is started again.
MARQUEE = """\
#!/bin/sh
export PYTHONPATH=/run/tree:/opt/libraries PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -m appliance.cli "$@"
"""


def ansible_playbook() -> Path:
    """Ansible of the project's own environment; raises ``SystemExit`` where it was not made yet."""
    found = PROJECT / ".ops" / "bin" / "ansible-playbook"
    if not found.exists():
        raise SystemExit("Ansible is missing; type: .ci/setup ops")
    return found


def apply_role(tree: Path) -> None:
    """Set up the hotspot in the tree as in an image: nothing is started there."""
    script = tree / "usr/bin/marquee"
    script.write_text(MARQUEE)
    script.chmod(0o755)
    (tree / "etc/modprobe.d/radios.conf").write_text(RADIOS)
    (tree / "etc/modules-load.d/radios.conf").write_text("mac80211_hwsim\n")
    (tree / "etc/marquee").mkdir()
    shutil.copy(FLEET, tree / "etc/marquee/marquee.toml")
    for command in (["groupadd", "--system", "marquee"], ["useradd", "--system", "--gid", "marquee", "marquee"]):
        subprocess.run(["chroot", str(tree), *command], check=True)
    (tree / "etc/systemd/system/multi-user.target.wants/nginx.service").unlink(missing_ok=True)
    words = [str(ansible_playbook()), "-i", f"{tree},", "-c", "community.general.chroot", str(PLAYBOOK)]
    done = subprocess.run(words, cwd=PROJECT / "ansible", capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the role could not be applied:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")


def _inputs() -> bytes:
    roles = PROJECT / "ansible" / "roles"
    guard = ("defaults/main.yml", "templates/host.nft.j2", "templates/nftables.conf.j2")
    files = (
        Path(__file__),
        PLAYBOOK,
        FLEET,
        *sorted(each for each in (roles / "hotspot").rglob("*") if each.is_file()),
        *(roles / "hardening" / each for each in guard),
    )
    return b"\0".join(each.read_bytes() for each in files)


def recipe() -> Recipe:
    """What the guest is made of."""
    return Recipe("radio", DEBIAN, frozenset({"iotcore"}), cameras=False, finish=apply_role, inputs=_inputs())
