"""The provisioning file: read back as it was written, and every mistake named with its key and fix, without its value."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.pins import hash_pin
from appliance.domain.provisioning import (
    CHANNELS,
    MOST_STATIONS,
    Provisioning,
    ProvisioningError,
    Uplink,
    Wifi,
    as_toml,
    read_provisioning,
)

TOKEN = "k" * 43
SECRET = "s3cr3t words"
PIN = hash_pin("1234", bytes(16))
GOOD = f"""
[device]
org = "town"
name = "hall-1"
venue = "hall"
[cloud]
url = "https://cloud.example.org:8443"
ca = "sha256:{"ab" * 32}"
token = "{TOKEN}"
[wifi]
country = "de"
ssid = "Town Hall"
passphrase = "{SECRET}"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ProvisioningError) as caught:
        read_provisioning(text.encode())
    return caught.value.problems


def test_what_a_person_writes_is_read() -> None:
    """Country in small letters, lines of another system and a mark in front are no mistakes."""
    expected = Provisioning(
        "town", "hall-1", "hall", "https://cloud.example.org:8443", "ab" * 32, TOKEN, Wifi("DE", "Town Hall", SECRET)
    )
    assert read_provisioning(GOOD.encode()) == expected
    assert read_provisioning(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) == expected


plain = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=8, max_size=63)
ssids = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(
    lambda text: len(text.encode()) <= 32 and text == text.strip()
)
names = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,20}\Z")


@given(
    names,
    names,
    st.builds(
        Wifi,
        st.sampled_from(["DE", "US", "ZA"]),
        ssids,
        st.just("") | plain,
        st.sampled_from((0, *CHANNELS)),
        st.integers(0, MOST_STATIONS),
    ),
    st.builds(Uplink, ssids.map(lambda text: f"up{text[:4]}"), plain, st.just("") | st.just("internet.example")),
    st.booleans(),
)
def test_what_is_written_reads_back_the_same(name: str, org: str, wifi: Wifi, uplink: Uplink, replace: bool) -> None:
    """Whatever quotes, backslashes and scripts a name holds."""
    keys = ("ssh-ed25519 " + "A" * 68 + " anna@office",)
    pin = PIN if replace else ""
    written = Provisioning(org, name, name, "https://c.example", "0f" * 32, TOKEN, wifi, pin, uplink, keys, replace)
    if uplink.ssid == wifi.ssid:
        assert any(each.startswith("uplink.ssid") for each in problems(as_toml(written)))
    else:
        assert read_provisioning(as_toml(written).encode()) == written


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"de"', '"UK"', "wifi.country: is no country; write the two letters of ISO 3166, such as DE"),
        ('"de"', '""', "wifi.country: is missing; write two letters"),
        ("Town Hall", "Ä" * 17, "wifi.ssid: has 34 bytes; write at most 32"),
        ("Town Hall", "Town ", "wifi.ssid: begins or ends with a space"),
        (SECRET, "short", "wifi.passphrase: has 5 characters; write 8 to 63"),
        (SECRET, "pässword", "wifi.passphrase: has 8 characters; write 8 to 63 letters"),
        ('"hall-1"', '"Hall 1"', "device.name: is not a name; write 1 to 63 lower-case letters"),
        ('venue = "hall"', "", "device.venue: is missing"),
        ("https://cloud", "http://cloud", "cloud.url: is not the authority's address; write https://host:8443"),
        (":8443", ":8443/x", "cloud.url: is not the authority's address"),
        ("sha256:", "", "cloud.ca: is not a fingerprint"),
        (TOKEN, TOKEN[1:], "cloud.token: is not a token (43 letters and digits)"),
        ("passphrase", "pasphrase", "wifi.pasphrase: is no key of this file; did you mean passphrase?"),
        ("[wifi]", "[wiffi]", "wiffi: is no section; did you mean wifi?"),
        ('country = "de"', "country = 49", "wifi.country: is not text on one line; write it in quotes"),
        ('country = "de"', 'country = "de"\nchannel = 14', "wifi.channel: is no channel of a hotspot"),
        ('"de"', '"de"\nstations = 2008', "wifi.stations: is no number of phones; write 1 to 2007 without quotes"),
        ('"de"', '"de"\nstations = "8"', "wifi.stations: is no number of phones"),
        ('"de"', '"de"\nstations = -1', "wifi.stations: is no number of phones"),
        ('"de"', '"de"\nstations = true', "wifi.stations: is no number of phones"),
        ("[cloud]", 'replace = "yes"\n[cloud]', "device.replace: is neither true nor false"),
        ("[cloud]", '[uplink]\nssid = "Town Hall"\n[cloud]', "uplink.ssid: is the hotspot's own name"),
        ("[cloud]", '[uplink]\npassphrase = "12345678"\n[cloud]', "uplink.passphrase: belongs to no Wi-Fi"),
        ("[cloud]", '[uplink]\napn = "a b"\n[cloud]', "uplink.apn: is no access point name"),
        ("[cloud]", '[staff]\npin = "1234"\n[cloud]', "staff.pin: is not the hash of a PIN"),
        ("[cloud]", '[ops]\nssh_keys = ["AAAA"]\n[cloud]', "ops.ssh_keys: number 1 is no public key"),
        ("[cloud]", "[cloud", "the file is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_the_fix(old: str, new: str, expected: str) -> None:
    """In plain words, since they are read at a venue."""
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1))
    assert any(each.startswith(expected) for each in found), found


def test_all_mistakes_are_told_at_once_and_none_repeats_a_secret() -> None:
    """What stands on a screen or a slip may be read by anybody."""
    text = GOOD.replace(TOKEN, TOKEN + "!").replace(SECRET, "seven77").replace('"de"', '"XX"')
    found = problems(text)
    assert sorted(each.partition(":")[0] for each in found) == ["cloud.token", "wifi.country", "wifi.passphrase"]
    assert not re.search(f"{TOKEN}|seven77|XX", " ".join(found))


@given(st.binary(max_size=300))
def test_garbage_is_a_problem_and_never_another_error(raw: bytes) -> None:
    """A card may hold anything."""
    with pytest.raises(ProvisioningError):
        read_provisioning(raw)


def test_a_large_file_is_not_ours() -> None:
    """It is not even parsed."""
    with pytest.raises(ProvisioningError, match="more than"):
        read_provisioning(b"#" * 20_000)
