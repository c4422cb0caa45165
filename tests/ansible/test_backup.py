"""Copies of the cloud: whose they are, who can read them, and where one is put back for practice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.roles import ROLES, defaults, render

PROGRAM = "/usr/lib/marquee/bin/marquee"
COPYING = ("marquee-backup.service.j2", "marquee-restore-drill.service.j2")
# Numbers for the accounts of the cloud that nobody on a machine that tests has.
NUMBERS = {"marquee-cloud": 61801, "marquee-authority": 61802, "marquee-backup": 61803}
NEWEST = "marquee-20260102T000000Z.tar"


def units() -> dict[str, str]:
    """Every unit of the cloud that is no copy's, by its template."""
    found = {path.name: path for path in ROLES.glob("*/templates/marquee-*.service.j2")}
    texts = {name: render(path.parent.parent.name, name) for name, path in found.items() if name not in COPYING}
    return {name: text for name, text in texts.items() if "Environment=MARQUEE_CONFIG=/etc/marquee/cloud.toml" in text}


def of(text: str, key: str) -> str:
    """The value of a unit's key that counts."""
    return re.findall(rf"^{key}=(.*)$", text, flags=re.MULTILINE)[-1]


def copying() -> str:
    """The account that makes copies and puts them back."""
    (account,) = {of(render("backup", name), "User") for name in COPYING}
    return account


def tasks(role: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROLES / role / "tasks" / "main.yml").read_text(encoding="utf-8"))
    return found


def folder_tasks() -> list[dict[str, Any]]:
    """What the role does to the folder of copies."""
    asked = [task.get("ansible.builtin.file", {}) for task in tasks("backup")]
    return [each for each in asked if "backup_folder" in each.get("path", "")]


def test_nothing_else_runs_as_the_account_whose_the_copies_are() -> None:
    """A copy holds the authority's key, which reconcilers, verifier and console must not read."""
    others = {of(text, "User") for text in units().values()}
    assert {"marquee-cloud", "marquee-authority"} == others
    assert copying() not in others
    first, *_ = folder_tasks()
    assert (first["owner"], first["group"], first["mode"]) == (copying(), copying(), "0700")


def test_every_account_of_the_cloud_is_made_and_may_come_into_the_database() -> None:
    accounts = {of(text, "User") for text in units().values()} | {copying()}
    made = re.findall(r"^u (\S+) ", render("cloud", "sysusers.conf.j2"), flags=re.MULTILINE)
    let_in = re.findall(r"^marquee +(\S+) ", render("postgres", "pg_ident.conf.j2"), flags=re.MULTILINE)
    assert accounts == set(made) == set(let_in)
    # A run that ended between the list of accounts and making them is made up for by the next.
    (making,) = (task for task in tasks("cloud") if task["name"] == "Make accounts and folders")
    assert accounts == set(re.findall(r"'(marquee-\w+)'", making["when"]))


def test_copies_of_before_change_hands_and_no_link_among_them_is_followed() -> None:
    """They were the reconcilers', who could have laid a link to anything there; the folder itself may be one of an operator's."""
    _, second = folder_tasks()
    assert second["path"] == "{{ backup_folder }}/."
    assert (second["owner"], second["group"]) == (copying(), copying())
    assert (second["recurse"], second["follow"]) == (True, False)


class Scripts:
    """Both scripts in a folder of their own, with programs that do next to nothing in the place of the cloud's."""

    def __init__(self, folder: Path) -> None:
        self.archives, self.lib, self.cache, self.state, self._bin = (
            folder / name for name in ("archives", "lib", "cache", "state", "bin")
        )
        private = self.lib / "marquee-cloud", self.lib / "marquee-authority"
        for each in (self.archives, *private, self.cache, self.state, self._bin):
            each.mkdir(parents=True)
        for path in ("marquee-cloud/cloud.pem", "marquee-authority/ca.key"):
            (self.lib / path).write_text("a key\n")
            (self.lib / path).chmod(0o600)
        self.said = folder / "said"
        self.stub("marquee", f'[ "$1" = backup ] && echo PGDMP >"$2" || echo "$MARQUEE_DEVICE_DATA $3" >{self.said}')
        # What the dump becomes as statements.
        self.stub("pg_restore", "case $1 in --file=-) cat >/dev/null; head -c 5000000 /dev/zero ;; esac")

    def stub(self, name: str, script: str) -> None:
        (self._bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self._bin / name).chmod(0o755)

    def free(self, size: int) -> None:
        """Have disks with so much room."""
        self.stub("df", f"echo Avail; echo {size}")

    def run(self, template: str, *before: str, **given: object) -> subprocess.CompletedProcess[str]:
        text = render("backup", template, backup_folder=str(self.archives), **given)
        text = text.replace(PROGRAM, str(self._bin / "marquee")).replace("/var/lib", str(self.lib))
        environment = {
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "CACHE_DIRECTORY": str(self.cache),
            "STATE_DIRECTORY": str(self.state),
        }
        words = [*before, "sh", "-c", text]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def archive(self, name: str = NEWEST) -> Path:
        """A finished copy."""
        with tarfile.open(self.archives / name, "w") as file:
            (self.lib / "database").write_text("PGDMP")
            file.add(self.lib / "database", "marquee/database")
            for each in ("marquee-cloud", "marquee-authority"):
                file.add(self.lib / each, f"marquee/{each}")
        return self.archives / name


@pytest.fixture
def scripts() -> Iterator[Scripts]:
    """In a folder that other accounts may pass through, as they may not through pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="marquee-copies-"))
    folder.chmod(0o711)
    yield Scripts(folder)
    shutil.rmtree(folder)


def as_account(account: str, capability: str = "") -> list[str]:
    number, kept = NUMBERS[account], f",+{capability}" if capability else ""
    words = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups", "--no-new-privs"]
    return [*words, f"--inh-caps=-all{kept}", f"--ambient-caps=-all{kept}", f"--bounding-set=-all{kept}"]


@pytest.mark.system
def test_a_copy_is_made_of_what_it_may_read_alone_and_the_clouds_processes_cannot_read_it(scripts: Scripts) -> None:
    """With the owners, modes and capabilities of the roles; the files of cloud and authority are theirs alone."""
    if os.geteuid() != 0:
        pytest.skip("other accounts' files are made by root: run it as root")
    for account in ("marquee-cloud", "marquee-authority"):
        for path in (scripts.lib / account, *(scripts.lib / account).iterdir()):
            os.chown(path, NUMBERS[account], NUMBERS[account])
        (scripts.lib / account).chmod(0o700)
    owner = NUMBERS[folder_tasks()[0]["owner"]]
    for folder in (scripts.archives, scripts.state):
        os.chown(folder, owner, owner)
    scripts.archives.chmod(int(folder_tasks()[0]["mode"], 8))

    capability = of(render("backup", COPYING[0]), "AmbientCapabilities").lower().removeprefix("cap_")
    made = scripts.run("backup.j2", *as_account(copying(), capability))
    assert made.returncode == 0, made.stderr
    told = [*as_account("marquee-cloud"), "cat", str(scripts.state / "last")]
    assert subprocess.run(told, capture_output=True, text=True, check=True).stdout.startswith("marquee-")
    (archive,) = scripts.archives.iterdir()
    key = ["tar", "--extract", "--to-stdout", "--file", str(archive), "marquee/marquee-authority/ca.key"]
    assert subprocess.run(key, capture_output=True, check=True).stdout == b"a key\n"
    read = subprocess.run([*as_account("marquee-cloud"), *key], capture_output=True, text=True, check=False)
    assert (read.returncode != 0, read.stdout, "Permission denied" in read.stderr) == (True, "", True)


def test_a_copy_is_put_back_from_a_disk_and_not_from_memory(scripts: Scripts) -> None:
    """``/tmp`` is in memory, some megabytes of it; an archive grows past them."""
    scripts.archive("marquee-20260101T000000Z.tar")
    scripts.archive()
    done = scripts.run("drill.j2")
    assert (done.returncode, f"{NEWEST}: put back, with both keys" in done.stdout) == (0, True), done.stderr
    inside = scripts.cache / "marquee"
    assert scripts.said.read_text().split() == [str(inside / "marquee-cloud"), str(inside / "database")]
    unit = render("backup", COPYING[1])
    assert (of(unit, "CacheDirectory"), of(unit, "CacheDirectoryMode")) == ("marquee-drill", "0700")


def test_nothing_that_was_unpacked_stays_however_the_practice_ends(scripts: Scripts) -> None:
    """systemd runs it behind a kill, too; what a cut of the power left goes before anything else is looked at."""
    scripts.archive()
    left = scripts.cache / "marquee" / "marquee-authority"
    left.mkdir(parents=True)
    (left / "old.key").write_text("a key\n")
    assert scripts.run("drill.j2").returncode == 0
    assert (left / "ca.key").exists() and not (left / "old.key").exists()
    command = of(render("backup", COPYING[1]), "ExecStopPost").replace("%C/marquee-drill", str(scripts.cache))
    subprocess.run(command.split(), check=True)
    assert list(scripts.cache.iterdir()) == []


def test_a_copy_that_the_disk_has_no_room_for_is_not_put_back_and_the_words_say_what_is_missing(
    scripts: Scripts,
) -> None:
    """The archive, its statements, and as much again for the rows and for PostgreSQL's own log."""
    needed = scripts.archive().stat().st_size + 15_000_000
    scripts.free(needed - 1)
    done = scripts.run("drill.j2")
    assert done.returncode == 1
    assert "takes 16 MB of the disk of" in done.stderr and "where 15 MB are free" in done.stderr, done.stderr
    assert not scripts.said.exists() and list(scripts.cache.iterdir()) == []
    scripts.free(needed)
    assert scripts.run("drill.j2").returncode == 0


def test_a_copy_is_not_begun_that_would_fill_the_disk(scripts: Scripts) -> None:
    """Beside the newest one there must be room for a dump and an archive of its size, and for what they grew; the first one is tried."""
    scripts.free(0)
    assert scripts.run("backup.j2").returncode == 0
    (first,) = scripts.archives.iterdir()
    newest = first.rename(scripts.archives / NEWEST)
    scripts.free(newest.stat().st_size * 5 // 2 - 1)
    done = scripts.run("backup.j2")
    assert done.returncode == 1 and "no copy was made: one takes 1 MB of the disk of" in done.stderr
    assert list(scripts.archives.iterdir()) == [newest]
    scripts.free(newest.stat().st_size * 5 // 2)
    assert scripts.run("backup.j2").returncode == 0


def test_what_a_killed_run_left_is_no_reason_to_make_no_copy(scripts: Scripts) -> None:
    """It goes before the room is looked at; one that may still be under way stays."""
    old, young = scripts.archives / ".making-old", scripts.archives / ".making-young"
    for each in (old, young):
        each.mkdir()
        (each / "database").write_text("PGDMP")
    os.utime(old, (0, 0))
    scripts.stub("df", f"echo Avail; [ -e {old} ] && echo 0 || echo 1000000000")
    scripts.archive()
    assert scripts.run("backup.j2").returncode == 0
    assert not old.exists() and young.exists()


def test_the_oldest_copies_go(scripts: Scripts) -> None:
    names = [f"marquee-202601{day:02}T000000Z.tar" for day in range(1, 6)]
    for name in names:
        scripts.archive(name)
    assert scripts.run("backup.j2", backup_kept=3).returncode == 0
    kept = sorted(path.name for path in scripts.archives.iterdir())
    assert (len(kept), kept[:2]) == (3, names[-2:])
    assert defaults("backup")["backup_kept"] == 28


def sized(scripts: Scripts, number: int, size: int, disk: int) -> list[str]:
    """Lay down so many copies of such a size on a disk that holds no more than ``disk`` bytes of them; their names, oldest first."""
    names = [f"marquee-202601{day:02}T000000Z.tar" for day in range(1, number + 1)]
    for name in names:
        with (scripts.archives / name).open("wb") as file:
            file.truncate(size)
    # As many bytes as the copies that are there leave.
    scripts.stub("df", f"echo Avail; echo $(({disk} - $(ls {scripts.archives} | grep -c '^marquee-') * {size}))")
    return names


def test_where_the_disk_is_short_the_oldest_copies_make_room_for_a_new_one(scripts: Scripts) -> None:
    """A disk that filled up, or copies that grew: there would be no new ones, for months."""
    names = sized(scripts, 7, 1_000_000, 7_600_000)
    done = scripts.run("backup.j2")
    assert done.returncode == 0, done.stderr
    kept = sorted(path.name for path in scripts.archives.iterdir())
    assert (kept[:-1], len(kept)) == (names[2:], 6)
    assert [f"{name}: makes room for a new one" in done.stdout for name in names[:3]] == [True, True, False]


@pytest.mark.parametrize(("number", "disk"), [(3, 5_499_999), (7, 5_499_999)])
def test_three_copies_stay_and_none_goes_for_nothing(scripts: Scripts, number: int, disk: int) -> None:
    names = sized(scripts, number, 1_000_000, disk)
    done = scripts.run("backup.j2")
    assert (done.returncode, "no copy was made" in done.stderr) == (1, True)
    assert sorted(path.name for path in scripts.archives.iterdir()) == names
    assert list(scripts.state.iterdir()) == []
    sized(scripts, number, 1_000_000, disk + 1)
    assert scripts.run("backup.j2").returncode == 0
    kept = sorted(path.name for path in scripts.archives.iterdir())
    assert (kept[:-1], len(kept)) == (names[-3:], 4)


def test_only_a_copy_that_is_where_it_should_be_is_told_as_good(scripts: Scripts) -> None:
    """One that was made and not taken away dies with the disk."""
    scripts.stub("take-away", "exit 1")
    assert scripts.run("backup.j2", backup_offsite=["take-away"]).returncode != 0
    assert (len(list(scripts.archives.iterdir())), list(scripts.state.iterdir())) == (1, [])
    scripts.stub("take-away", "exit 0")
    assert scripts.run("backup.j2", backup_offsite=["take-away"]).returncode == 0
    (last,) = scripts.state.iterdir()
    assert (last.name, last.stat().st_mode & 0o777) == ("last", 0o644)
    assert last.read_text().strip() in {path.name for path in scripts.archives.iterdir()}


def test_what_tells_of_copies_is_where_the_cloud_looks_for_it() -> None:
    unit = render("backup", COPYING[0])
    folder = f"/var/lib/{of(unit, 'StateDirectory')}"
    assert of(unit, "StateDirectoryMode") == "0755"
    assert f'\ncopied = "{folder}/last"\n' in render("cloud", "cloud.toml.j2", cloud_names=["cloud.example.org"])
