"""Files of a device, written by root in a folder that another account may put links into; and the authority's, likewise."""

from __future__ import annotations

import argparse
import grp
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errands import authority as errand
from appliance.services import setting_up as files
from appliance.settings import read_settings

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="gives folders to another account")
NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may pass, with a folder of another account and a secret of root in it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for path, owner in ((place / "data", NOBODY), (place / "of-root", 0)):
            path.mkdir(mode=0o700)
            os.chown(path, owner, owner)
        (place / "of-root" / "secret").write_bytes(b"root's")
        yield place
        assert [path.name for path in (place / "of-root").iterdir()] == ["secret"]
        found = (place / "of-root" / "secret").stat()
        assert (found.st_uid, found.st_mode & 0o777, (place / "of-root").stat().st_uid) == (0, 0o644, 0)


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in folder.rglob("*")}


def test_what_root_writes_belongs_to_whom_the_folder_belongs(place: Path) -> None:
    files.write(place / "data" / "tls" / "ca.pem", b"x")
    files.write_for_group(place / "data" / "shown", b"x")
    assert owners(place / "data") == {NOBODY}
    assert (place / "data" / "shown").stat().st_mode & 0o777 == 0o640
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_a_link_in_place_of_a_folder_or_of_the_file_leads_nowhere(place: Path) -> None:
    data, secret = place / "data", place / "of-root" / "secret"
    (data / "tls").symlink_to(place / "of-root")
    (data / "setup.json").symlink_to(secret)
    for link in data.iterdir():
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(PermissionError):
        files.write(data / "tls" / "device.pem", b"x")
    files.write(data / "setup.json", b"x")
    assert not (data / "setup.json").is_symlink()
    assert owners(data) == {NOBODY}


def test_a_file_that_is_swapped_for_a_link_as_it_is_put_in_place_gives_nothing_away(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the name and what is done to it another process of that account may act."""
    path, whole = place / "data" / "setup.json", Path.replace

    def swapped(draft: Path, target: Path) -> Path:
        made = whole(draft, target)
        target.unlink()
        target.symlink_to(place / "of-root" / "secret")
        return made

    monkeypatch.setattr(Path, "replace", swapped)
    files.write(path, b"x")
    assert path.is_symlink()


def test_a_link_of_roots_own_is_followed(place: Path) -> None:
    """An operator may have moved the data folder to another disk."""
    (place / "moved").symlink_to(place / "data")
    files.write(place / "moved" / "setup.json", b"x")
    assert owners(place / "data") == {NOBODY}


def init(place: Path) -> int:
    """As the role does it; the group is one that the owner is no member of."""
    config = place / "cloud.toml"
    lines = (
        f'[authority]\nurl = "https://127.0.0.1:8443"\nfolder = "{place}/data"\n[cloud]\ndatabase = "{place}/c.db"\n'
    )
    config.write_text(lines, "utf-8")
    given = argparse.Namespace(action="init", owner="nobody", broker_group="mail", client_group="")
    return errand.run(given, read_settings(config, {}))


@pytest.mark.parametrize(("link", "status"), [("broker", 1), ("notes", 0)])
def test_the_authority_made_anew_by_root_gives_away_no_file_that_a_link_leads_to(
    place: Path, link: str, status: int
) -> None:
    """Who answers strangers owns that folder; the role has root look after it at each run."""
    (place / "data" / link).symlink_to(place / "of-root" / ("" if link == "broker" else "secret"))
    assert init(place) == status


def test_an_authority_that_root_makes_is_its_owners_and_its_readers(place: Path) -> None:
    assert init(place) == 0
    assert init(place) == 0
    assert owners(place / "data") == {NOBODY}
    key, closed = place / "data" / "broker" / "broker.key", place / "data" / "client" / "reconciler.key"
    assert (key.stat().st_gid, key.stat().st_mode & 0o777) == (grp.getgrnam("mail").gr_gid, 0o640)
    assert closed.stat().st_mode & 0o777 == 0o600
