"""Commands for what was lost: the price is shown, nothing happens without a word, refusals are one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import cli
from appliance.demo.town import EXAMPLE
from appliance.services import booking
from appliance.services.booking import Item
from appliance.settings import systemctl
from appliance.store import device
from appliance.store.engine import open_database
from mqtt_bridge.cloud import store
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import decode
from tests.support.box import ADULT, ROOM, TestBox, guest, make_box

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARQUEE_CONFIG", raising=False)


class Shell:
    """Runs commands with the settings of a cloud, or of a device, in a fresh folder."""

    def __init__(self, folder: Path, said: Said, more: str = "") -> None:
        self.data = folder / "data"
        self._said = said
        self._config = folder / "settings.toml"
        self._config.write_text(f'[device]\norg = "org"\ndata = "{self.data}"\n{more}', "utf-8")

    def __call__(self, *words: str) -> tuple[int, str, str]:
        status = cli.main(["--config", str(self._config), *words])
        out = self._said.readouterr()
        return status, out.out, out.err

    def scalar(self, sql: str) -> object:
        database = store.open_cloud(self.data / "cloud.db")
        try:
            with database.read() as db:
                return db.exec_driver_sql(sql).scalar()
        finally:
            database.close()


@pytest.fixture
def shell(tmp_path: Path, capsys: Said) -> Shell:
    made = Shell(tmp_path, capsys)
    assert made("import", str(EXAMPLE))[0] == 0
    assert made("provision", "hall-1", "hall")[0] == 0
    return made


def test_nothing_is_sealed_without_a_word(shell: Shell) -> None:
    """Not at a terminal: the price, and how to mean it."""
    status, out, err = shell("seal", "hall-1")
    assert status == 1
    assert "never heard of" in out
    assert "--yes" in err
    assert shell.scalar("SELECT status FROM device") == "registered"
    status, out, _ = shell("seal", "hall-1", "--reason", "river", "--yes")
    assert status == 0
    assert shell.scalar("SELECT status FROM device") == "sealed"
    assert [each.kind for each in FleetLog(shell.data / "fleet.jsonl").entries()] == ["provisioned", "sealed"]
    assert shell("seal", "hall-1", "--yes") == (1, "", "seal: device 'hall-1' is sealed already\n")


def test_a_replacement_is_provisioned_with_its_settings(shell: Shell) -> None:
    """What is printed is a settings file, the seal's words are comments in it."""
    status, out, _ = shell("provision", "hall-2", "hall", "--replaces", "hall-1", "--yes")
    assert status == 0
    assert 'name = "hall-2"' in out
    assert all(line.startswith(("#", "[")) or " = " in line for line in out.splitlines())
    assert shell.scalar("SELECT name FROM device WHERE door") == "hall-2"
    assert shell.scalar("SELECT answered_by FROM device WHERE name = 'hall-1'") == "hall-2"
    status, _, err = shell("provision", "hall-1", "hall", "--replaces", "hall-2", "--yes")
    assert (status, "sealed" in err) == (1, True)


def test_release_names_quotas_it_cannot_tell_apart(shell: Shell) -> None:
    """And how much is in doubt."""
    status, _, err = shell("release", "gold", "1", "--yes")
    assert (status, err) == (1, "release: there is no quota 'gold'\n")


def test_a_cloud_is_backed_up_restored_and_confirmed(shell: Shell, tmp_path: Path) -> None:
    """The devices of after the backup are known; nothing is granted before they were heard or sealed."""
    copy = str(tmp_path / "cloud.bak")
    status, out, _ = shell("backup", copy)
    assert (status, "cloud.pem" in out) == (0, True)
    assert shell("provision", "yard-1", "yard")[0] == 0
    assert shell("restore", copy)[0] == 1
    assert shell("restore")[0] == 2
    status, out, _ = shell("restore", copy, "--yes")
    assert status == 0
    assert "To be heard or sealed: hall-1, yard-1" in out
    assert str(shell.scalar("SELECT inc FROM cloud")).startswith("2.")
    status, _, err = shell("confirm-restore", "--yes")
    assert (status, "not heard yet: hall-1, yard-1" in err) == (1, True)
    for name in ("hall-1", "yard-1"):
        assert shell("seal", name, "--yes")[0] == 0
    status, out, _ = shell("confirm-restore", "--yes")
    assert (status, "granting again" in out) == (0, True)
    assert shell.scalar("SELECT frozen FROM cloud") == ""
    assert shell("confirm-restore", "--yes")[0] == 1
    status, _, err = shell("restore", str(EXAMPLE), "--yes")
    assert (status, "no backup that" in err) == (1, True)


def test_a_cloud_whose_database_is_gone_does_not_begin_anew(shell: Shell) -> None:
    """Unless it is told to begin with the list of its devices."""
    for path in shell.data.glob("cloud.db*"):
        path.unlink()
    status, _, err = shell("import", str(EXAMPLE))
    assert (status, "marquee restore" in err) == (1, True)
    status, out, _ = shell("restore", "--from-log", "--yes")
    assert (status, "hall-1" in out) == (0, True)
    assert shell("import", str(EXAMPLE))[0] == 0
    assert shell.scalar("SELECT max(version) FROM catalogue") == 1_000_001


def sell(box: TestBox) -> None:
    hold = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 1)]))
    box.run(lambda unit: booking.confirm(unit, hold.id, client=guest()))


def test_an_old_card_is_read_without_changing_it(shell: Shell, tmp_path: Path) -> None:
    """With its write-ahead log, torn in the middle; refused while its device may still sell."""
    card, box = tmp_path / "card", make_box(tmp_path)
    sell(box)
    sell(box)
    card.mkdir()
    for name in ("north.db", "north.db-wal"):
        shutil.copyfile(tmp_path / name, card / name.replace("north", "marquee"))
    wal = card / "marquee.db-wal"
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size - 2000)
    before = {path.name: path.read_bytes() for path in card.iterdir()}
    assert shell("provision", "north-1", "north")[0] == 0
    status, _, err = shell("recover", str(card))
    assert (status, "is not sealed" in err) == (1, True)
    assert shell("seal", "north-1", "--yes")[0] == 0
    status, _, err = shell("recover", str(card))
    assert (status, "never said hello" in err) == (1, True)
    assert {path.name: path.read_bytes() for path in card.iterdir()} == before
    status, _, err = shell("recover", str(tmp_path / "nothing"))
    assert (status, "is no file" in err) == (1, True)
    box.database.close()


def test_what_a_torn_card_holds_up_to_its_last_whole_commit_is_read(tmp_path: Path) -> None:
    """Two sales; the second one's commit is torn."""
    from appliance.errands.card import CardUnreadable, read_card

    box = make_box(tmp_path)
    box.database.checkpoint()
    sell(box)
    whole = read_card(tmp_path / "north.db")
    wal = tmp_path / "north.db-wal"
    size = wal.stat().st_size
    sell(box)
    card = tmp_path / "card"
    card.mkdir()
    shutil.copyfile(tmp_path / "north.db", card / "marquee.db")
    (card / "marquee.db-wal").write_bytes(wal.read_bytes()[: size + 100])
    torn = read_card(card)
    assert (torn.device, torn.messages, torn.damaged) == ("north-1", whole.messages, "")
    assert [each.totals.sold for each in torn.stock if each.quota == ROOM] == [1]
    (card / "marquee.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(CardUnreadable, match="cannot be read"):
        read_card(card)
    box.database.close()


def test_a_devices_backup_begins_another_life_when_it_is_put_back(tmp_path: Path, capsys: Said) -> None:
    """It sells nothing until the cloud spoke; what it had not told it still tells; another device's is refused."""
    box = make_box(tmp_path)
    (tmp_path / "data").mkdir()
    box.database.checkpoint()
    box.database.close()
    (tmp_path / "north.db").rename(tmp_path / "data" / "marquee.db")
    shell = Shell(tmp_path, capsys, 'name = "north-1"\nvenue = "north"\n')
    copy = str(tmp_path / "device.bak")
    assert shell("backup", copy, "--device")[0] == 0
    assert shell("restore", copy, "--device")[0] == 1
    status, out, _ = shell("restore", copy, "--device", "--yes")
    assert (status, "restored" in out) == (0, True)
    assert out.splitlines()[-1] == systemctl("start")
    database = open_database(tmp_path / "data" / "marquee.db")
    with database.read() as db:
        row = device.load(db)
    assert row.frozen
    assert row.began == "went_back"
    database.close()
    (tmp_path / "other").mkdir()
    other = Shell(tmp_path / "other", capsys, 'name = "south-1"\nvenue = "south"\n')
    status, _, err = other("restore", copy, "--device", "--yes")
    assert (status, "is a backup of 'north-1'" in err) == (1, True)


def test_a_device_is_not_restored_under_its_processes(tmp_path: Path, capsys: Said) -> None:
    """They would sell in the life that the copy ends; what stops them, and nothing else of the device, is printed."""
    shell, data = Shell(tmp_path, capsys, 'name = "north-1"\nvenue = "north"\n'), tmp_path / "data"
    open_database(data / "marquee.db").close()
    holding = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM device'); print(flush=True); input()"
    words = [sys.executable, "-c", holding, str(data / "marquee.db")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        other.stdout.readline()
        status, out, err = shell("restore", str(tmp_path / "any.bak"), "--device", "--yes")
        other.communicate("\n")
    assert (status, out) == (1, "")
    assert f"process {other.pid} has " in err
    assert err.endswith(f"{systemctl('stop')}\n")
    assert "is no backup" in shell("restore", str(EXAMPLE), "--device", "--yes")[2]


def test_a_badge_is_issued_once_shown_once_and_revoked(shell: Shell, tmp_path: Path) -> None:
    staff = shell.scalar("SELECT document FROM catalogue ORDER BY version DESC LIMIT 1")
    assert isinstance(staff, bytes)
    badge = decode(staff, Catalogue).staff[0].badge
    picture = tmp_path / "badge.png"
    status, text, _err = shell("badge", "issue", badge, "--png", str(picture))
    assert (status, text.startswith("MQB1:")) == (0, True)
    assert picture.stat().st_mode & 0o077 == 0
    _status, listed, _err = shell("badge", "list")
    serial = listed.split()[0]
    assert listed.endswith("good\n")
    assert shell("badge", "revoke", serial)[1] == f"revoked: {serial} of {badge}\n"
    assert shell("badge", "list")[1].endswith("revoked\n")
    for words in (("issue", "nobody"), ("revoke", "ff"), ("issue",)):
        status, _out, err = shell("badge", *words)
        assert (status, err.startswith("badge: ")) == (1, True)
