"""The command line: errands that change the cloud's rows, and wrong usage."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from appliance import cli
from appliance.demo.town import EXAMPLE
from appliance.domain.pins import verify_pin
from appliance.domain.provisioning import read_provisioning
from appliance.web.tokens import Tokens
from mqtt_bridge.cloud import store
from mqtt_bridge.database import Database
from tests.support.roles import defaults


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this machine is read."""
    monkeypatch.delenv("MARQUEE_CONFIG", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Settings of a cloud in a fresh folder."""
    path = tmp_path / "cloud.toml"
    path.write_text(f'[device]\norg = "town"\ndata = "{tmp_path / "data"}"\n', "utf-8")
    return str(path)


def rows(tmp_path: Path) -> Database:
    return store.open_cloud(tmp_path / "data" / "cloud.db")


def test_import_applies_once_and_changes_nothing_the_second_time(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Ids and hashes are stable, so the same file is the same catalogue."""
    assert cli.main(["--config", config, "import", str(EXAMPLE)]) == 0
    assert "event 'paper-moons' added" in capsys.readouterr().out
    assert cli.main(["--config", config, "import", str(EXAMPLE)]) == 0
    assert capsys.readouterr().out == "nothing changed\n"
    with rows(tmp_path).read() as db:
        catalogue = store.current_catalogue(db)
    assert (catalogue.version, len(catalogue.events)) == (1, 6)
    assert all(member.pin_hash.startswith("scrypt$") for member in catalogue.staff)


def test_import_of_a_bad_file_says_every_line_and_changes_nothing(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Status 1, the mistakes on standard error, no catalogue."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("venues: []\nevents: []\nstuff: 1\n", "utf-8")
    assert cli.main(["--config", config, "import", str(bad)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{bad}: ")[:14] for line in said] == [
        "line 1: venues",
        "line 2: events",
        "line 3: stuff:",
    ]
    with rows(tmp_path).read() as db:
        assert store.current_catalogue(db).version == 0


def test_import_check_looks_without_a_cloud(config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A creator checks a file on any machine."""
    assert cli.main(["--config", config, "import", "--check", str(EXAMPLE)]) == 0
    assert "nothing is wrong with it" in capsys.readouterr().out
    assert not (tmp_path / "data").exists()


def test_provision_prints_settings_that_a_device_can_read(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is printed is the device's settings file; another venue for the same name is refused."""
    from appliance.settings import read_settings

    assert cli.main(["--config", config, "provision", "hall-1", "hall"]) == 0
    made = tmp_path / "device.toml"
    made.write_text(capsys.readouterr().out, "utf-8")
    settings = read_settings(made, {})
    assert (settings.device.org, settings.device.name, settings.device.venue) == ("town", "hall-1", "hall")
    assert len(settings.broker.cloud_key) == 64
    assert cli.main(["--config", config, "provision", "hall-1", "yard"]) == 1
    assert "belongs to venue 'hall'" in capsys.readouterr().err


def test_operator_token_is_printed_once_and_kept_as_a_hash(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It opens the console; the file does not hold it."""
    assert cli.main(["--config", config, "operator-token"]) == 0
    token = capsys.readouterr().out.strip()
    database = rows(tmp_path)
    with database.read() as db:
        assert store.is_operator(db, token)
        assert not store.is_operator(db, token + "x")
    database.checkpoint()
    assert token.encode() not in (tmp_path / "data" / "cloud.db").read_bytes()


def test_all_operator_tokens_are_revoked_by_one_command_and_a_new_one_opens_the_console(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It says how many there were; none is made in their place, and said again it finds none."""
    words = ["--config", config, "operator-token"]
    for _ in range(2):
        assert cli.main(words) == 0
    tokens = capsys.readouterr().out.split()
    assert cli.main([*words, "--revoke-all"]) == 0
    assert capsys.readouterr().out.startswith("2 tokens opened the console and open nothing more")
    with rows(tmp_path).read() as db:
        assert [store.is_operator(db, token) for token in tokens] == [False, False]
    assert cli.main([*words, "--revoke-all"]) == 0
    assert capsys.readouterr().out.startswith("0 tokens")
    assert cli.main(words) == 0
    with rows(tmp_path).read() as db:
        assert store.is_operator(db, capsys.readouterr().out.strip())


def test_a_rotated_key_names_every_unit_that_signs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The processes that the role starts again when a device becomes another one, staff's pages among them."""
    path = tmp_path / "hall.toml"
    path.write_text(f'[device]\nname = "hall-1"\nvenue = "hall"\ndata = "{tmp_path / "hall"}"\n', "utf-8")
    assert cli.main(["--config", str(path), "rotate-key"]) == 0
    command = capsys.readouterr().out.splitlines()[-1]
    units = [unit.removesuffix(".service") for unit in defaults("identity")["identity_processes"]]
    assert command == f"sudo systemctl restart {' '.join(units)}"


def test_wrong_settings_are_all_named_and_nothing_runs(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1 and one line per mistake."""
    monkeypatch.setenv("MARQUEE_BROKER_URL", "nowhere")
    monkeypatch.setenv("MARQUEE_PORTAL_BIND", "8080")
    assert cli.main(["--config", config, "portal"]) == 1
    said = capsys.readouterr().err
    assert "settings: broker.url (from MARQUEE_BROKER_URL): 'nowhere' is not a broker address" in said
    assert "settings: portal.bind (from MARQUEE_PORTAL_BIND): '8080' is not an address" in said


@pytest.mark.parametrize("command", ["portal", "desk", "bridge"])
def test_a_device_without_a_name_says_what_to_set(
    config: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """It does not start as somebody."""
    assert cli.main(["--config", config, command]) == 1
    said = capsys.readouterr().err
    assert "device.name: is not set" in said
    assert "device.venue: is not set" in said


def test_the_table_of_settings_is_printed_without_reading_any(capsys: pytest.CaptureFixture[str]) -> None:
    """``marquee settings`` helps exactly when settings are wrong."""
    assert cli.main(["--config", "/nowhere", "settings"]) == 0
    assert "| `broker.url` |" in capsys.readouterr().out


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, as everywhere."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["sell"])
    assert caught.value.code == 2
    assert "usage: marquee" in capsys.readouterr().err


def test_a_date_is_cancelled_moved_and_restored_by_command(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By the names of the file, at the place's own time; what cannot be says why and changes nothing."""
    assert cli.main(["--config", config, "import", str(EXAMPLE)]) == 0
    with rows(tmp_path).read() as db:
        event = store.current_catalogue(db).events[0]
    name = f"{event.slug}/{event.sessions[0].key}"
    capsys.readouterr()
    assert cli.main(["--config", config, "session", "move", name, "--starts-at", "2031-12-04T20:00"]) == 0
    assert "is moved" in capsys.readouterr().out
    assert cli.main(["--config", config, "session", "cancel", name, "--notice", "Storm."]) == 0
    assert "0 tickets of 0 bookings listed for repair" in capsys.readouterr().out
    with rows(tmp_path).read() as db:
        at = store.current_catalogue(db).events[0].sessions[0]
    assert (at.cancelled, at.notice, at.moved is not None) == (True, "Storm.", True)
    assert cli.main(["--config", config, "session", "move", name, "--venue", "moon"]) == 1
    assert "restore it first" in capsys.readouterr().err
    assert cli.main(["--config", config, "session", "restore", name]) == 0
    assert cli.main(["--config", config, "session", "move", name, "--starts-at", "soon"]) == 1
    assert "'soon' is not a time; write" in capsys.readouterr().err
    for night, trouble in {"2031-10-26T02:30": "happens twice in", "2031-03-30T02:30": "clocks skip it"}.items():
        assert cli.main(["--config", config, "session", "move", name, "--starts-at", night]) == 1
        assert trouble in capsys.readouterr().err
    with rows(tmp_path).read() as db:
        assert store.current_catalogue(db).events[0] == event


def test_the_key_of_page_tokens_is_rotated_with_an_overlap_only_by_a_clock_that_can_end_it(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data" / "web.key"
    monkeypatch.setenv("MARQUEE_CLOCK_MODE", "untrusted")
    assert cli.main(["--config", config, "rotate-web-key"]) == 1
    assert "clock is not trusted" in capsys.readouterr().err
    assert not path.exists()
    monkeypatch.setenv("MARQUEE_CLOCK_MODE", "trusted")
    link = Tokens.from_file(path).mint("hold", "x")
    assert cli.main(["--config", config, "rotate-web-key", "--overlap-days", "7"]) == 0
    assert "7 more days" in capsys.readouterr().out
    assert Tokens.from_file(path).open("hold", link) == "x"
    assert cli.main(["--config", config, "rotate-web-key", "--now"]) == 1
    assert Tokens.from_file(path).open("hold", link) == "x"
    assert cli.main(["--config", config, "rotate-web-key", "--now", "--yes"]) == 0
    assert Tokens.from_file(path).open("hold", link) is None


def test_a_token_is_revoked_on_its_device_by_its_serial_and_what_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "hall.toml"
    path.write_text(f'[device]\nname = "hall-1"\nvenue = "hall"\ndata = "{tmp_path / "hall"}"\n', "utf-8")
    assert cli.main(["--config", str(path), "revoke-token", "0123456789abcdef"]) == 0
    assert capsys.readouterr().out == "revoked here: serial:0123456789abcdef\n"
    assert cli.main(["--config", str(path), "revoke-token", "K7QF-2M9D"]) == 1
    assert "the code of one ticket" in capsys.readouterr().err


def test_provision_writes_a_file_once_and_names_what_is_wrong_before_it_registers(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """The token is in the file alone; said again it is not made again."""
    monkeypatch.setenv("MARQUEE_AUTHORITY_URL", "https://cloud.example.org:8443")
    out, key = tmp_path / "hall-1.toml", tmp_path / "anna.pub"
    key.write_text("ssh-ed25519 " + "A" * 68 + " anna@office\n", "utf-8")
    words = ["--config", config, "provision", "hall-1", "hall", "--out", str(out)]
    assert cli.main(words) == 1
    assert "authority init" in capsys.readouterr().err
    assert cli.main(["--config", config, "authority", "init"]) == 0
    assert cli.main(["--config", config, "authority", "revoke"]) == 1
    capsys.readouterr()
    for more, expected in (
        ((), "wifi.country: is missing"),
        (("--country", "DE", "--passphrase", "short"), "wifi.passphrase: has 5 characters"),
        (("--country", "DE", "--staff-pin", "12"), "--staff-pin is not 4 to 12 digits"),
    ):
        assert cli.main([*words, *more]) == 1
        assert expected in capsys.readouterr().err
    assert not out.exists()
    good = [*words, "--country", "DE", "--staff-pin", "4711", "--ssh-key", str(key), "--apn", "internet"]
    assert cli.main(good) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    written = read_provisioning(out.read_bytes())
    assert (written.name, written.wifi.ssid, written.uplink.apn) == ("hall-1", "hall", "internet")
    assert verify_pin("4711", written.pin)
    asked = [*good[:5], "--out", str(out), "--country", "DE", "--renew-token", "--passphrase", "-", "--staff-pin", "-"]
    monkeypatch.setattr("sys.stdin", io.StringIO("lantern light\n123456\n"))
    assert cli.main(asked) == 0
    asked_for = read_provisioning(out.read_bytes())
    assert asked_for.wifi.passphrase == "lantern light"
    assert verify_pin("123456", asked_for.pin)
    assert cli.main([*good, "--renew-token"]) == 0
    written = read_provisioning(out.read_bytes())
    assert written.token not in capsys.readouterr().out
    assert cli.main(good) == 1
    assert cli.main([*good[:5], "--out", str(tmp_path / "again.toml"), "--country", "DE"]) == 1
    assert "say --renew-token" in capsys.readouterr().err
    assert cli.main([*good, "--renew-token"]) == 0
    assert read_provisioning(out.read_bytes()).token != written.token
    assert cli.main(["--config", config, "authority", "revoke", "hall-1"]) == 0
    assert "0 certificates" in capsys.readouterr().out
