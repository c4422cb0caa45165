"""Settings: read once, from file and environment, every mistake named with its key and the fix."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from appliance.settings import FIELDS, Settings, SettingsError, as_markdown, read_settings


def problems(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    path = tmp_path / "marquee.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(path, environment or {})
    return caught.value.problems


def test_without_file_and_variables_everything_has_its_default() -> None:
    """Defaults fit their own kinds: nothing that stands in the table is refused when written down."""
    assert read_settings(None, {}) == Settings()
    for field in FIELDS:
        assert field.read(field.default if not isinstance(field.default, Path) else str(field.default)) == field.default


def test_variables_win_over_the_file(tmp_path: Path) -> None:
    """So that a unit file can change one thing."""
    path = tmp_path / "marquee.toml"
    path.write_text('[broker]\nurl = "mqtt://one:1883"\n[portal]\nthreads = 4\nbehind_proxy = true\n', "utf-8")
    settings = read_settings(path, {"MARQUEE_BROKER_URL": "mqtts://two:8883", "MARQUEE_PORTAL_WORKERS": "3"})
    assert settings.broker.url == "mqtts://two:8883"
    assert (settings.portal.workers, settings.portal.threads, settings.portal.behind_proxy) == (3, 4, True)


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    """``MARQUEE_CONFIG`` is what systemd units set."""
    path = tmp_path / "marquee.toml"
    path.write_text('[device]\nname = "hall-1"\n', "utf-8")
    assert read_settings(None, {"MARQUEE_CONFIG": str(path)}).device.name == "hall-1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[broker]\nurl = "x"',
            "broker.url: 'x' is not a broker address; write mqtt://host:port, or mqtts://host:port for TLS",
        ),
        ('[broker]\nurl = "http://x"', "broker.url: 'http://x' is not a broker address"),
        ('[broker]\ncloud_key = "abc"', "broker.cloud_key: 'abc' is not a public key"),
        ('[broker]\nulr = "x"', "broker.ulr: is not a setting; did you mean broker.url?"),
        ("[portal]\nworkers = 0", "portal.workers: 0 is not a whole number from 1 to 16"),
        ("[portal]\nworkers = true", "portal.workers: True is not a whole number from 1 to 16"),
        ('[portal]\nbind = "8080"', "portal.bind: '8080' is not an address; write host:port, such as 127.0.0.1:8080"),
        (
            '[portal]\nbind = "unix:portal.sock"',
            "portal.bind: 'unix:portal.sock' is no socket; write unix: and an absolute path",
        ),
        ('[portal]\nbind = "0.0.0.0:99999"', "portal.bind: '0.0.0.0:99999' is not an address"),
        ('[portal]\nbehind_proxy = "maybe"', "portal.behind_proxy: 'maybe' is neither true nor false"),
        ('[portal]\nmetrics_from = "me"', "portal.metrics_from: 'me' is not a list of addresses"),
        ('[device]\nname = "Hall 1"', "device.name: 'Hall 1' is not a name; write 1 to 63 lower-case letters"),
        ('[device]\ndata = ""', "device.data: '' is empty; write the path of a folder"),
        ('[desk]\nprinter = "192.168.4.9"', "desk.printer: '192.168.4.9' is not a device address; write scheme://..."),
        ('[desk]\nlane = ""', "desk.lane: '' is not a label; write 1 to 40 characters"),
        ('[clock]\nmode = "right"', "clock.mode: 'right' is not one of auto, trusted, untrusted"),
        ("broker = 3", "broker: is not a section; write [broker]"),
        ("[broker\n", "is not TOML"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_the_fix(tmp_path: Path, text: str, expected: str) -> None:
    """One mistake, one line that says what to write."""
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert expected in found[0]


def test_all_mistakes_are_told_at_once_and_variables_by_their_name(tmp_path: Path) -> None:
    """From the file and the environment together."""
    environment = {"MARQUEE_BROKR_URL": "mqtt://x", "MARQUEE_LOG_LEVEL": "loud", "MARQUEE_SEED": "7", "HOME": "/"}
    found = problems(tmp_path, "[portal]\nthreads = 1000\n", environment)
    assert len(found) == 3
    assert any(each.startswith("log.level (from MARQUEE_LOG_LEVEL): 'loud'") for each in found)
    assert "MARQUEE_BROKR_URL: is not a setting; did you mean MARQUEE_BROKER_URL?" in found


def test_a_missing_file_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    """A typing error in a path must not start a box office with defaults."""
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "none.toml", {})


def test_of_several_files_the_later_one_wins_key_by_key(tmp_path: Path) -> None:
    """What a fleet has in common, then what one device was given."""
    fleet, device = tmp_path / "marquee.toml", tmp_path / "device.toml"
    fleet.write_text('[device]\norg = "town"\n[broker]\nurl = "mqtt://one:1883"\n[portal]\nworkers = 2\n', "utf-8")
    device.write_text('[device]\nname = "hall-1"\n[broker]\nurl = "mqtts://two:8883"\n', "utf-8")
    both = f"{fleet}:{device}"
    for settings in (read_settings(both, {}), read_settings(None, {"MARQUEE_CONFIG": both})):
        assert (settings.device.org, settings.device.name) == ("town", "hall-1")
        assert (settings.broker.url, settings.portal.workers) == ("mqtts://two:8883", 2)
    assert read_settings(both, {"MARQUEE_PORTAL_WORKERS": "5"}).portal.workers == 5


def test_a_later_file_may_be_missing_and_the_first_may_not(tmp_path: Path) -> None:
    """A device that was not provisioned yet has its fleet's settings alone."""
    fleet = tmp_path / "marquee.toml"
    fleet.write_text('[device]\norg = "town"\n', "utf-8")
    assert read_settings(f"{fleet}:{tmp_path / 'device.toml'}", {}).device.org == "town"
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        read_settings(f"{tmp_path / 'none.toml'}:{fleet}", {})


def test_a_setting_that_a_newer_program_wrote_for_the_device_is_logged_and_left_out(tmp_path: Path, caplog) -> None:
    """After an update that was taken back the older program reads what the newer one wrote; people write the first file."""
    fleet, device = tmp_path / "marquee.toml", tmp_path / "device.toml"
    fleet.write_text('[device]\norg = "town"\n', "utf-8")
    device.write_text('[device]\nname = "hall-1"\nof_tomorrow = 1\n[tomorrow]\nkey = 2\n', "utf-8")
    assert read_settings(f"{fleet}:{device}", {}).device.name == "hall-1"
    assert caplog.messages == [
        f"{key} (from {device}): is not a setting of this version and is left out"
        for key in ("device.of_tomorrow", "tomorrow.key")
    ]
    with pytest.raises(SettingsError, match=r"device\.of_tomorrow"):
        read_settings(device, {})


def test_mistakes_in_one_of_several_files_name_it(tmp_path: Path) -> None:
    """Nobody has to guess which of them to mend."""
    fleet, device = tmp_path / "marquee.toml", tmp_path / "device.toml"
    fleet.write_text("[portal]\nworkers = 0\nwrokers = 1\n", "utf-8")
    device.write_text("broker = 3\n", "utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings(f"{fleet}:{device}", {})
    assert sorted(caught.value.problems) == [
        f"broker (from {device}): is not a section; write [broker] and key = value below it",
        f"portal.workers (from {fleet}): 0 is not a whole number from 1 to 16",
        f"portal.wrokers (from {fleet}): is not a setting; did you mean portal.workers?",
    ]
    device.unlink()
    device.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(f"{fleet}:{device}", {})


def test_settings_are_frozen() -> None:
    """Read once means that nothing changes them afterwards."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().broker.url = "mqtt://other:1883"  # type: ignore[misc]


def test_every_setting_stands_in_the_table_with_help() -> None:
    """The page about settings is made from the same list that parses them."""
    table = as_markdown()
    for field in FIELDS:
        assert f"| `{field.key}` |" in table
        assert len(field.help) > 15
