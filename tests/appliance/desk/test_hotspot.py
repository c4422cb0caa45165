"""Staff see when the Wi-Fi is full or down, in their language and in figures; those whom it concerns cannot be told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from appliance.bootstrap.device import hotspot_address
from appliance.desk import hotspot as watching
from appliance.desk.process import Addresses, Desk
from appliance.domain import hardware
from appliance.services.hardware import seen as hardware_rows
from appliance.settings import read_settings
from drivers.hotspot.api import HotspotStatus, judge
from tests.drivers.patience import eventually
from tests.support.box import TestBox


def test_the_desk_says_how_the_hotspot_is_and_notices_each_change(
    box: TestBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LISTEN_S", 0.05)
    control, stop = tmp_path / "hotspot.control", threading.Event()
    desk = Desk(box, Addresses(hotspot=f"sim://hotspot?phones=7&limit=8&control={control}"))
    thread = threading.Thread(target=desk.run, args=(tmp_path / "desk.sock", stop))
    thread.start()

    def seen() -> tuple[str, str] | None:
        rows = {each.name: each for each in box.look(hardware_rows)}
        return (rows["hotspot"].state, rows["hotspot"].reason) if "hotspot" in rows else None

    try:
        eventually(lambda: seen() == ("ready", "7 of 8 phones are on the Wi-Fi."))
        control.write_text("full")
        eventually(
            lambda: seen() == ("degraded", "8 of 8 phones are on the Wi-Fi: it is full; 3 more could not come in.")
        )
        control.write_text("down")
        eventually(lambda: seen() is not None and seen()[0] == "fault")
        control.write_text("")
        eventually(lambda: seen() == ("ready", "7 of 8 phones are on the Wi-Fi."))
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (HotspotStatus(on_air=True, phones=3, limit=20), hardware.Phones(3, 20, 0, full=False)),
        (HotspotStatus(on_air=True, phones=20, limit=20), hardware.Phones(20, 20, 0, full=True)),
        (HotspotStatus(on_air=True, phones=20, limit=20, refused=2), hardware.Phones(20, 20, 2, full=True)),
        (HotspotStatus(on_air=True, phones=20), None),
        (HotspotStatus(on_air=False), None),
    ],
)
def test_the_figures_in_the_drivers_sentence_are_understood(
    status: HotspotStatus, found: hardware.Phones | None
) -> None:
    """Driver and page know the same sentence; neither may change it alone."""
    _, reason = judge(status)
    assert hardware.phones("hotspot", reason) == found
    assert hardware.phones("printer", reason) is None


def test_how_many_fit_is_the_devices_word_or_the_fleets(tmp_path: Path) -> None:
    base = tmp_path / "hostapd.conf"
    base.write_text("interface=wlan0\nmax_num_sta=20\n")
    told = {"MARQUEE_DESK_HOTSPOT": "hostapd:///run/hostapd/wlan0", "MARQUEE_HOTSPOT_BASE": str(base)}
    address = "hostapd:///run/hostapd/wlan0?limit="
    assert hotspot_address(read_settings(None, told)) == f"{address}20"
    assert hotspot_address(read_settings(None, told | {"MARQUEE_HOTSPOT_STATIONS": "8"})) == f"{address}8"
    assert hotspot_address(read_settings(None, told | {"MARQUEE_DESK_HOTSPOT": f"{address}3"})) == f"{address}3"
    base.unlink()
    assert hotspot_address(read_settings(None, told)) == "hostapd:///run/hostapd/wlan0"
    assert hotspot_address(read_settings(None, {})) == ""
