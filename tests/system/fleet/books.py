"""Runs site.yml over the hosts as an operator would: an inventory of its own, made of the example's files and what differs here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.system.fleet.hosts import GATEWAY, Host
from tests.system.fleet.root import PROJECT

ANSIBLE = PROJECT / "ansible"
LIMIT_S = 900
_RECAP = re.compile(r"^(\S+)\s*:\s*ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Played:
    """What a run did: changed tasks by host, all it said, and how long it took."""

    changed: dict[str, int]
    text: str
    took_s: float

    @property
    def changes(self) -> list[str]:
        """The lines that tell of a change, each below its task's name."""
        found, task = [], ""
        for line in self.text.splitlines():
            if line.startswith(("TASK [", "RUNNING HANDLER [")):
                task = line.split("]")[0]
            elif line.startswith("changed:"):
                found.append(f"{task}] {line}")
        return found


class Books:
    """The books over a venue's and a cloud's hosts; ``provisioning`` is where their files are looked for."""

    def __init__(self, work: Path, archives: Path, cloud: Host, venues: list[Host]) -> None:
        self._work = work
        self.inventory = work / "inventory"
        self.provisioning = self.inventory / "provisioning"
        self.provisioning.mkdir(parents=True)
        groups = {
            group: {"hosts": {each.name: {"ansible_host": each.address} for each in hosts}}
            for group, hosts in (("venues", venues), ("cloud", [cloud]))
        }
        (self.inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
        for name, values in self._differing(archives).items():
            folder = self.inventory / "group_vars" / name
            folder.mkdir(parents=True)
            shutil.copy(ANSIBLE / "inventory" / "example" / "group_vars" / f"{name}.yml", folder / "example.yml")
            # Files of one folder are read by name; later ones win.
            (folder / "here.yml").write_text(yaml.safe_dump(values))

    def _differing(self, archives: Path) -> dict[str, dict[str, object]]:
        return {
            "all": {
                "hardening_ops_keys": [(self._work / "key.pub").read_text().strip()],
                "hardening_management_from": [f"{GATEWAY}/32"],
                "application_archives": str(archives),
                "clock_servers": [],
            },
            "venues": {
                # Guests come by a wire, and this machine's clock is believed though no time server can be heard.
                "hotspot_radio": False,
                "hotspot_uplink_wifi": "",
                "hotspot_uplink_modem": False,
                "identity_settings": {"clock": {"mode": "trusted"}},
            },
            "cloud": {
                "reconciler_instances": 2,
                "postgres_shared_buffers_mb": 64,
                "console_name": "console.fleet.test",
                "console_certificate": "/etc/ssl/marquee/console.pem",
                "console_key": "/etc/ssl/marquee/console.key",
            },
        }

    def play(self, *words: str) -> Played:
        """Run site.yml; raises ``AssertionError`` with the end of what it said if a task failed or a host could not be reached."""
        begun_s = time.monotonic()
        environment = {
            **os.environ,
            "PATH": f"{PROJECT / '.ops' / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_SSH_ARGS": f"-F {self._work}/ssh_config",
            "ANSIBLE_HOME": str(self._work / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORKS": "4",
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks",
            "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "12",
            "LC_ALL": "C.UTF-8",
        }
        order = ("ansible-playbook", "-i", str(self.inventory), "site.yml", *words)
        log = self._work / f"play-{int(begun_s)}.log"
        # Into a file at once, so that one may watch.
        with log.open("wb") as said:
            done = subprocess.run(
                order,
                cwd=ANSIBLE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
                check=False,
            )
        text = log.read_text("utf-8")
        assert done.returncode == 0, f"site.yml {' '.join(words)}: {done.returncode}\n{text[-12000:]}"
        counts = {host: int(changed) for host, _ok, changed, _away, _failed in _RECAP.findall(text)}
        return Played(counts, text, time.monotonic() - begun_s)
