"""``marquee provision --like``: another file for a device that says what the one before said, with a token of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from appliance import cli
from appliance.domain.pins import hash_pin, verify_pin
from appliance.domain.provisioning import Provisioning, Uplink, Wifi, as_toml, read_provisioning
from appliance.domain.setup import WORDS

KEY = "ssh-ed25519 " + "A" * 68 + " anna@office"
BEFORE = Provisioning(
    org="town",
    name="hall-1",
    venue="hall",
    url="https://old.example.org:8443",
    ca="ab" * 32,
    token="k" * 43,
    wifi=Wifi("DE", "The Hall", "lantern light", 11, 15),
    pin=hash_pin("2468", bytes(16)),
    uplink=Uplink("Town", "up and away", "internet"),
    ssh_keys=(KEY,),
    replace=True,
)


class Office:
    """A cloud whose authority is there, and the folder that commands are typed in."""

    def __init__(self, folder: Path) -> None:
        self.config, self.out = folder / "cloud.toml", folder / "provisioning.toml"
        data = f'[device]\norg = "town"\ndata = "{folder / "data"}"\n'
        self.config.write_text(f'{data}[authority]\nurl = "https://cloud.example.org:8443"\n', "utf-8")
        assert cli.main(["--config", str(self.config), "authority", "init"]) == 0
        self.old = folder / "old.toml"
        self.old.write_text(as_toml(BEFORE), "utf-8")

    def provision(self, *words: str, device: str = "hall-1") -> int:
        return cli.main(["--config", str(self.config), "provision", device, "hall", *words])

    def renew(self, *words: str) -> Provisioning:
        """Type the remedy and return what the file says."""
        assert self.provision("--out", str(self.out), "--renew-token", "--like", str(self.old), *words) == 0
        return read_provisioning(self.out.read_bytes())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_renewed_file_says_what_the_old_one_said_but_for_the_cloud_and_the_token(office: Office) -> None:
    """Wi-Fi, passphrases, the hash of the PIN, uplink and keys stay; address and fingerprint are this cloud's."""
    made = office.renew()
    assert made.url == "https://cloud.example.org:8443"
    assert made.token != BEFORE.token and made.ca != BEFORE.ca
    assert replace(made, url=BEFORE.url, ca=BEFORE.ca, token=BEFORE.token) == BEFORE
    assert verify_pin("2468", made.pin)


def test_the_new_file_may_take_the_place_of_the_old_one(office: Office) -> None:
    """The same name for both, as where the file never left the cloud's folder."""
    first = office.renew()
    office.old = office.out
    second = office.renew()
    assert second.token != first.token
    assert replace(second, token=first.token) == first


def test_what_is_given_wins_over_the_old_file(office: Office, tmp_path: Path) -> None:
    """Also an empty text: the hotspot is open then."""
    key = tmp_path / "berta.pub"
    key.write_text(KEY.replace("anna", "berta") + "\n", "utf-8")
    words = (
        "--country",
        "FR",
        "--ssid",
        "La Salle",
        "--passphrase",
        "",
        "--channel",
        "6",
        "--stations",
        "8",
        "--staff-pin",
        "1357",
    )
    made = office.renew(*words, "--ssh-key", str(key), "--apn", "other")
    assert made.wifi == Wifi("FR", "La Salle", "", 6, 8)
    assert verify_pin("1357", made.pin)
    assert (made.ssh_keys, made.uplink.apn) == ((KEY.replace("anna", "berta"),), "other")


def test_the_passphrase_of_one_uplink_is_not_told_to_another(office: Office) -> None:
    assert office.renew("--uplink-ssid", "Neighbour").uplink == Uplink("Neighbour", "", "internet")
    assert office.renew("--uplink-ssid", "").uplink == Uplink("", "", "internet")


def test_a_token_that_was_damaged_on_the_card_does_not_matter(office: Office) -> None:
    """A new one is made of it anyway; other mistakes are told with file and key."""
    office.old.write_text(as_toml(BEFORE).replace("k" * 43, "k" * 40), "utf-8")
    assert office.renew().wifi == BEFORE.wifi


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (as_toml(BEFORE).replace('"DE"', '"UK"'), "wifi.country: is no country"),
        ("\0" * 40, "the file is not TOML"),
        (None, "cannot be read (No such file or directory); copy it to where this command may read it"),
    ],
)
def test_an_old_file_that_cannot_be_used_is_named_and_the_token_before_stays(
    office: Office, capsys: pytest.CaptureFixture[str], text: str | None, expected: str
) -> None:
    token = office.renew().token
    office.old.unlink() if text is None else office.old.write_text(text, "utf-8")
    assert office.provision("--out", str(office.out), "--renew-token", "--like", str(office.old)) == 1
    said = capsys.readouterr().err
    assert "--like" in said and "old.toml" in said and expected in said
    assert read_provisioning(office.out.read_bytes()).token == token


@pytest.mark.parametrize("words", [("--renew-token",), ("--like", "old.toml")])
def test_what_is_about_a_file_needs_one(
    office: Office, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert office.provision(*words) == 1
    assert "say where to write it with --out FILE" in capsys.readouterr().err


def test_what_a_device_says_whose_token_is_refused_can_be_typed(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The remedy itself, with the names of this device in its places."""
    monkeypatch.chdir(tmp_path)
    words = WORDS["token_refused"][1].partition("sudo marquee-cloud ")[2].partition(",")[0]
    typed = words.replace("DEVICE", "hall-1").replace("VENUE", "hall").replace("OLD", "old.toml").split()
    assert cli.main(["--config", str(office.config), *typed]) == 0
    assert read_provisioning(office.out.read_bytes()).wifi == BEFORE.wifi
