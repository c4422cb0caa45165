"""What radios are told: never what their country forbids, never without saying why, and nothing of a name means anything to hostapd."""

from __future__ import annotations

import struct

import pytest

from appliance.domain import airwaves, hotspot
from appliance.domain.airwaves import NoList, Span, allowed
from appliance.domain.hotspot import Wifi

BASE = "interface=wlan0\nhw_mode=g\nchannel=6\nap_isolate=1\nmax_num_sta=20\n"
GERMANY = (Span(2_400_000, 2_483_500, usable=True), Span(5_150_000, 5_250_000, usable=True))
COUNTRIES = {"00": (Span(2_402_000, 2_472_000, usable=True),), "DE": GERMANY}


def database(**countries: list[tuple[int, int, int]]) -> bytes:
    """A list as the kernel reads it; a rule is (start, end in kHz, flags)."""
    head, body, at = b"", b"", 8 + 4 * len(countries) + 4
    for letters, rules in countries.items():
        collection_at, rules_at = at, at + 4 + 2 * len(rules) + (2 * len(rules)) % 4
        pointers = [(rules_at + 16 * number) // 4 for number in range(len(rules))]
        made = struct.pack(">BBBx", 3, len(rules), 1) + struct.pack(f">{len(rules)}H", *pointers)
        made += b"\0" * (rules_at - collection_at - len(made))
        made += b"".join(struct.pack(">BBHIII", 16, flags, 2000, low, high, 20_000) for low, high, flags in rules)
        head += struct.pack(">2sH", letters.strip("_").encode(), collection_at // 4)
        body, at = body + made, at + len(made)
    return struct.pack(">II", 0x52474442, 20) + head + b"\0\0\0\0" + body


def test_the_kernels_list_is_read_as_the_kernel_reads_it() -> None:
    found = airwaves.countries(
        database(_00=[(2_402_000, 2_472_000, 0)], DE=[(2_400_000, 2_483_500, 0), (5_250_000, 5_330_000, 4)])
    )
    assert found["00"] == (Span(2_402_000, 2_472_000, usable=True),)
    assert found["DE"] == (Span(2_400_000, 2_483_500, usable=True), Span(5_250_000, 5_330_000, usable=False))
    assert allowed(found["00"]) == tuple(range(1, 12))
    assert allowed(found["DE"]) == tuple(range(1, 14)), "a channel with radar is no channel to begin on"


@pytest.mark.parametrize(
    "junk", [b"", b"RGDB", database(DE=[(1, 2, 0)])[:20], b"\0" * 64, b"RGDB\0\0\0\x14\xff\xfe\0\1"]
)
def test_what_is_no_list_is_refused(junk: bytes) -> None:
    with pytest.raises(NoList):
        airwaves.countries(junk)


def test_both_parts_are_joined_and_the_devices_wins() -> None:
    made = hotspot.hostapd(BASE, Wifi("DE", "Halle", "secret words", 44, 8), "unused")
    assert "channel=6" not in made and "max_num_sta=20" not in made
    found = {key: hotspot.value_of(made, key) for key in ("hw_mode", "channel", "max_num_sta", "country_code", "wpa")}
    assert found == {"hw_mode": "a", "channel": "44", "max_num_sta": "8", "country_code": "DE", "wpa": "2"}
    assert hotspot.value_of(made, "wpa_passphrase") == "secret words"
    assert hotspot.value_of(made, "ap_isolate") == "1"


def test_an_open_hotspot_has_no_trace_of_a_key() -> None:
    made = hotspot.hostapd(BASE, Wifi("DE", "Halle"), "unused")
    assert "wpa" not in made
    assert (hotspot.value_of(made, "channel"), hotspot.value_of(made, "max_num_sta")) == ("6", "20")


def test_a_name_can_say_nothing_to_hostapd() -> None:
    name = "a\u00e9 #\"' =\\"
    made = hotspot.hostapd(BASE, Wifi("DE", name), "unused")
    assert bytes.fromhex(hotspot.value_of(made, "ssid2")).decode() == name


def test_before_it_is_set_up_a_device_is_on_the_air_under_the_rules_of_everywhere() -> None:
    made = hotspot.hostapd(BASE.replace("=g", "=a").replace("=6", "=44"), Wifi("", ""), hotspot.setup_name("board"))
    assert "country_code" not in made
    assert (hotspot.value_of(made, "hw_mode"), hotspot.value_of(made, "channel")) == ("g", "6")
    assert bytes.fromhex(hotspot.value_of(made, "ssid2")).decode() == hotspot.setup_name("board")


def test_the_name_of_that_wifi_is_the_boards_own_and_fits() -> None:
    names = {hotspot.setup_name(str(each)) for each in range(200)}
    assert len(names) > 190
    assert all(len(name.encode()) <= 32 and name[-4:].isupper() for name in names)
    assert hotspot.setup_name("1") == hotspot.setup_name("1")


@pytest.mark.parametrize(
    ("wifi", "key", "word"),
    [
        (Wifi("DE", ""), "hotspot.ssid", "is empty"),
        (Wifi("", "Halle"), "hotspot.country", "is empty"),
        (Wifi("XX", "Halle"), "hotspot.country", "no country"),
        (Wifi("DE", "Halle", channel=14), "hotspot.channel", "14 in DE"),
        (Wifi("DE", "Halle", channel=52), "hotspot.channel", "write one of 1, 2"),
        (Wifi("DE", "Halle", "short"), "hotspot.passphrase_file", "8 to 63"),
        (Wifi("DE", "Halle", "with \u00fcmlaut"), "hotspot.passphrase_file", "ASCII"),
    ],
)
def test_what_no_radio_may_do_is_said_with_the_setting_and_what_to_write(wifi: Wifi, key: str, word: str) -> None:
    (problem,) = hotspot.problems(wifi, BASE, COUNTRIES)
    assert problem.startswith(f"{key}:") and word in problem
    assert not wifi.passphrase or wifi.passphrase not in problem


def test_a_fleets_channel_that_a_country_forbids_is_the_roles_mistake() -> None:
    (problem,) = hotspot.problems(Wifi("DE", "Halle"), BASE.replace("=6", "=149"), COUNTRIES)
    assert problem.startswith("hotspot_channel of the role:")


@pytest.mark.parametrize("wifi", [Wifi("", ""), Wifi("DE", "Halle"), Wifi("DE", "Halle", "x" * 63, 13, 4)])
def test_what_is_right_is_let_through(wifi: Wifi) -> None:
    assert hotspot.problems(wifi, BASE, COUNTRIES) == []


def test_without_the_kernels_list_the_kernel_alone_decides() -> None:
    assert hotspot.problems(Wifi("XX", "Halle"), BASE, {}) == []


def test_the_second_radio_looks_for_one_network() -> None:
    made = hotspot.wpa_supplicant('Haus "A"', 'pass "word"', "DE")
    assert "ssid=4861757320224122" in made
    assert 'psk="pass "word""' in made and "country=DE" in made
    assert "key_mgmt=NONE" in hotspot.wpa_supplicant("Cafe", "", "")
    with pytest.raises(ValueError, match="8 to 63"):
        hotspot.wpa_supplicant("Cafe", "short", "")
