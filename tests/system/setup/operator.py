"""Somebody with an SSH key, on the network that the board's cable leads to."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.ports import free_port
from tests.system.board.board import Board
from tests.system.venue_board import Venue

USER, SSH_PORT = "ops", 22
# An emulated processor takes its time for the first keys; who is refused is told within this time too.
PATIENCE_S = 90
_HOST_KEY = "cat /var/lib/marquee-ssh/ssh_host_ed25519_key.pub"
# A phone that knows the way to the cable's side tries as well as it can: what answers, a line each.
_KNOCK = (
    "ip -n phone route replace default via 192.168.4.1; for door in 192.168.4.1/80 192.168.4.1/22 10.0.2.15/22; do"
    ' ip netns exec phone timeout 10 bash -c "exec 3<>/dev/tcp/$door" 2>/dev/null && echo $door; done; true'
)


class Operator:
    """Has a key that the provisioning file names and one that it does not; files are kept in ``folder``. ``port`` leads over the cable."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._known = folder / "known_hosts"
        self.key, self.other = (_made(folder / name) for name in ("key", "other"))

    @property
    def public(self) -> Path:
        """What `marquee provision --ssh-key` is given."""
        return self.key.with_suffix(".pub")

    def know(self, board: Board) -> None:
        """Note the key that this board made for itself; any other is refused from then on."""
        kind, key, *_ = board.check(_HOST_KEY).split()
        self._known.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def run(self, command: str, *, user: str = USER, key: Path | None = None, methods: str = "publickey") -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command on the board over SSH, with the right key where none is named."""
        options = {
            "BatchMode": "yes", "IdentitiesOnly": "yes", "IdentityAgent": "none", "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._known), "GlobalKnownHostsFile": "/dev/null", "ConnectTimeout": str(PATIENCE_S),
            "PreferredAuthentications": methods,
        }  # fmt: skip
        words = ["ssh", "-F", "/dev/null", "-p", str(self.port), "-i", str(key or self.key)]
        words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return subprocess.run(
            [*words, f"{user}@127.0.0.1", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=4 * PATIENCE_S, check=False,
        )  # fmt: skip

    def comes_in(self, device: str) -> str:
        """Come in with the right key and ask the device how it is; return what it says."""
        done = self.run("id -un && hostname && sudo marquee-device doctor")
        said = done.stdout.split()
        assert said[:2] == [USER, device], done.stdout + done.stderr
        # 1 is the doctor's word that something fails; 255 were SSH's own.
        assert done.returncode in {0, 1}, done.stderr
        assert f"enrolled as {device}" in done.stdout, done.stdout
        return done.stdout

    def is_refused(self) -> None:
        """Neither another key nor the right one for another account comes in, and nothing but a key is asked for."""
        # Few enough that the board does not begin to keep this address waiting.
        for what, done in (
            ("another key", self.run("true", key=self.other)),
            ("root", self.run("true", user="root")),
            ("a password", self.run("true", methods="password,keyboard-interactive")),
        ):
            assert done.returncode == 255, f"{what}: {done.returncode}, {done.stdout}"
            assert "Permission denied (publickey)." in done.stderr, f"{what}: {done.stderr}"


def phones_are_shut_out(at: Venue) -> None:
    """The phone on the air reaches the portal and no SSH, neither at the Wi-Fi's address nor at the cable's."""
    answering = at.board.check(_KNOCK).split()
    assert answering == ["192.168.4.1/80"], answering


def _made(file: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", file.name, "-f", str(file)], check=True)
    return file
