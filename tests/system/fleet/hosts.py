"""Hosts: copies of a root, booted by systemd-nspawn, each with a network and a disk (in memory) of its own, reached over SSH alone."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.support.namespaces import Namespace
from tests.system.fleet.root import USER

T = TypeVar("T")
BRIDGE, GATEWAY, NETWORK, PREFIX = "uplink", "10.20.0.1", "10.20.0.0/24", 24
START_S = 120.0


def command(*words: str, stdin: str | None = None, patience_s: float = 120) -> str:
    """Run a command and return what it printed; raises ``AssertionError`` with all it said if it fails."""
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=patience_s, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def eventually(look: Callable[[], T], what: str, patience_s: float = 60.0, every_s: float = 0.5) -> T:
    """Return the first true answer of ``look``; one that raises is asked again. ``AssertionError`` says ``what`` never came."""
    end_s, last = time.monotonic() + patience_s, ""
    while True:
        try:
            if found := look():
                return found
            last = f"{found!r}"
        except (AssertionError, OSError, LookupError, ValueError) as error:
            last = f"{type(error).__name__}: {error}"
        assert time.monotonic() < end_s, f"{what}: not within {patience_s:.0f} s; at last {last}"
        time.sleep(every_s)


class Host:
    """One host. ``number`` makes its address and its hardware address; files for it may be laid into ``tree`` before ``boot``."""

    def __init__(self, name: str, number: int, root: Path, work: Path, namespace: Namespace) -> None:
        self.name, self.address, self.namespace = name, f"10.20.0.{number}", namespace
        self._work = work
        self._cable = f"up-{name}"
        self._process: subprocess.Popen[bytes] | None = None
        self.tree = work / name / "tree"
        upper, spare = work / name / "upper", work / name / "spare"
        for each in (self.tree, upper, spare):
            each.mkdir(parents=True)
        command(
            "mount", "-t", "overlay", "-o", f"lowerdir={root},upperdir={upper},workdir={spare}", name, str(self.tree)
        )
        self._install()
        self._plug(f"02:00:00:00:20:{number:02x}")

    def _install(self) -> None:
        """What differs from host to host when it is delivered: its name, its id, its keys, and who may come in."""
        etc = self.tree / "etc"
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "machine-id").write_text(f"{secrets.token_hex(16)}\n")
        (etc / "resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
        command(
            "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(etc / "ssh/ssh_host_ed25519_key")
        )
        folder = self.tree / "home" / USER / ".ssh"
        folder.mkdir(mode=0o700)
        shutil.copy(self._work / "key.pub", folder / "authorized_keys")
        command("chroot", str(self.tree), "chown", "-R", f"{USER}:{USER}", f"/home/{USER}/.ssh")
        # Its list of packages is as new as it gets: there is no network to look for another.
        stamp = self.tree / "var/lib/apt/periodic/update-success-stamp"
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()

    def _plug(self, hardware: str) -> None:
        command(
            "ip",
            "link",
            "add",
            self._cable,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "address",
            hardware,
            "netns",
            self.namespace.name,
        )
        command("ip", "link", "set", self._cable, "master", BRIDGE, "up")

    def boot(self) -> None:
        """Switch it on."""
        # A group of its own: nspawn calls the one of what it boots "payload", and two hosts would remove each other's groups there.
        group = Path(f"/sys/fs/cgroup/fleet-{os.environ['MARQUEE_FLEET_NAME']}/{self.name}")
        group.mkdir()
        words = (
            "sh", "-ec", f'echo $$ >{group}/cgroup.procs; exec "$@"', "sh",
            "systemd-nspawn", "--directory", str(self.tree), "--boot", "--machine", self.name, "--register=no", "--keep-unit", "--console=pipe",
            f"--network-namespace-path=/run/netns/{self.namespace.name}", "--capability=CAP_NET_ADMIN",
            "--resolv-conf=off", "--timezone=off", "--link-journal=no",
        )  # fmt: skip
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            "SYSTEMD_SECCOMP": "0",
            # Its network is its own, so it may set how that behaves.
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        }
        with (self._work / f"{self.name}.console").open("wb") as console:
            self._process = subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )

    def wait(self) -> None:
        """Wait until it lets us in and has started what starts by itself."""
        eventually(lambda: self.run("true") == "", f"{self.name} lets us in", START_S)
        eventually(lambda: self._settled() in {"running", "degraded"}, f"{self.name} has started", START_S)

    def _settled(self) -> str:
        return self.run("systemctl is-system-running || true").strip()

    def run(self, script: str, *, stdin: str | None = None, patience_s: float = 120) -> str:
        """Run a shell script on it as root, over SSH, and return what it printed; raises ``AssertionError`` if it fails."""
        words = ("ssh", "-F", str(self._work / "ssh_config"), self.name, "sudo", "-n", "sh", "-c")
        return command(*words, shlex.quote(script), stdin=stdin, patience_s=patience_s)

    def try_to(self, script: str) -> str:
        """Run a shell script that may fail, and return all it said."""
        return self.run(f"( {script} ) 2>&1 || true")

    @property
    def linked(self) -> bool:
        """Whether its cable is in."""
        return "state UP" in command("ip", "link", "show", self._cable)

    def cut(self) -> None:
        """Pull its cable to the cloud; guests' Wi-Fi stays."""
        command("ip", "link", "set", self._cable, "down")

    def heal(self) -> None:
        """Put the cable back in."""
        command("ip", "link", "set", self._cable, "up")

    def journal(self, lines: int = 60) -> str:
        """The end of its log, for a failure's story."""
        return self.run(f"journalctl --no-pager -n {lines} -p warning")

    def known_host(self) -> str:
        """Its line for known_hosts."""
        kind, key, _ = (self.tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        return f"{self.address} {kind} {key}\n"


def write_ssh_config(work: Path, hosts: list[Host]) -> None:
    """Write how they are reached: with the one key, and each with its own host key or not at all."""
    (work / "known_hosts").write_text("".join(each.known_host() for each in hosts))
    common = (
        f"Host *\n  User {USER}\n  IdentityFile {work}/key\n  IdentitiesOnly yes\n  PasswordAuthentication no\n  UserKnownHostsFile {work}/known_hosts\n"
        f"  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  ConnectTimeout 5\n  ServerAliveInterval 5\n  ServerAliveCountMax 3\n"
        f"  ControlMaster auto\n  ControlPath {work}/ssh-%C\n  ControlPersist 600\n"
    )
    named = "".join(f"Host {each.name}\n  HostName {each.address}\n" for each in hosts)
    (work / "ssh_config").write_text(named + common)


def bridge(work: Path, addresses: dict[str, str]) -> subprocess.Popen[bytes]:
    """Make what stands for the internet: a switch, and a router that gives addresses by hardware address; returns its process."""
    command("ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
    command("ip", "address", "add", f"{GATEWAY}/{PREFIX}", "dev", BRIDGE)
    command("ip", "link", "set", BRIDGE, "up")
    lines = [
        "keep-in-foreground", "user=root", "port=0", f"interface={BRIDGE}", "bind-interfaces", "dhcp-authoritative", "log-facility=-",
        f"dhcp-range={GATEWAY},static", f"dhcp-leasefile={work}/leases",
        *(f"dhcp-host={hardware},{address},12h" for hardware, address in addresses.items()),
    ]  # fmt: skip
    (work / "router.conf").write_text("\n".join(lines) + "\n")
    with (work / "router.log").open("wb") as log:
        return subprocess.Popen(
            ("dnsmasq", "-C", str(work / "router.conf")), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
